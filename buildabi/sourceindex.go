package buildabi

import (
	"bytes"
	"encoding/binary"
	"math"
)

// SourceIndex describes what is fuzzed: location i is bit i of each [CoverageUpdate]. It holds the
// tables as they are on the wire; [SourceIndex.AddFile] fills them, [SourceIndex.Path] reads them.
type SourceIndex struct {
	Version     Version
	Start       int64    // when fuzzing began, ns since the server's base time
	StartRuns   uint64   // runs that the coverage file had counted then; V3 only
	Directories []uint32 // offsets into Strings
	Files       []File
	Locations   []Location
	Strings     []byte // names, each ended by a NUL
}

// File is a source file of a [SourceIndex].
type File struct {
	Directory uint32 // index into its Directories
	Basename  uint32 // offset into its Strings
}

// Location is a place in the source. The one that is not known is [NoLocation].
type Location struct {
	File         uint32 // index into Files
	Line, Column uint32 // from 1; compilers that know no column say 0
}

// noFile is the file of no location.
const noFile = math.MaxUint32

// NoLocation returns the location that stands for one that is not known.
func NoLocation() Location { return Location{File: noFile} }

func (*SourceIndex) message() string { return "SourceIndex" }

// AddFile appends a file to the tables and returns its index. The directory is shared with the
// file added before if that has the same.
func (m *SourceIndex) AddFile(directory, basename string) uint32 {
	last := len(m.Directories) - 1
	if last < 0 || m.string(m.Directories[last]) != directory {
		m.Directories = append(m.Directories, m.addString(directory))
		last++
	}
	m.Files = append(m.Files, File{uint32(last), m.addString(basename)})
	return uint32(len(m.Files) - 1)
}

func (m *SourceIndex) addString(s string) uint32 {
	at := len(m.Strings)
	m.Strings = append(append(m.Strings, s...), 0)
	return uint32(at)
}

// Path returns the directory and the base name of a file, as they are in the tables. They are
// empty where an index or an offset is out of range.
func (m *SourceIndex) Path(file uint32) (directory, basename string) {
	if uint64(file) >= uint64(len(m.Files)) {
		return "", ""
	}
	f := m.Files[file]
	if uint64(f.Directory) < uint64(len(m.Directories)) {
		directory = m.string(m.Directories[f.Directory])
	}
	return directory, m.string(f.Basename)
}

// string returns the string at an offset.
func (m *SourceIndex) string(at uint32) string {
	if uint64(at) >= uint64(len(m.Strings)) {
		return ""
	}
	name, _, _ := bytes.Cut(m.Strings[at:], []byte{0})
	return string(name)
}

// AppendBinary appends the message's bytes to b; see [Message].
func (m *SourceIndex) AppendBinary(b []byte) ([]byte, error) {
	if err := m.check(); err != nil {
		return b, err
	}
	b = append(b, tagSourceIndex, 0, 0, 0)
	for _, n := range [...]int{len(m.Directories), len(m.Files), len(m.Locations), len(m.Strings)} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(m.Start))
	if m.Version >= V3 {
		b = binary.LittleEndian.AppendUint64(b, m.StartRuns)
	}
	for _, at := range m.Directories {
		b = binary.LittleEndian.AppendUint32(b, at)
	}
	for _, f := range m.Files {
		b = binary.LittleEndian.AppendUint32(b, f.Directory)
		b = binary.LittleEndian.AppendUint32(b, f.Basename)
	}
	for _, l := range m.Locations {
		b = binary.LittleEndian.AppendUint32(b, l.File)
		b = binary.LittleEndian.AppendUint32(b, l.Line)
		b = binary.LittleEndian.AppendUint32(b, l.Column)
	}
	return append(b, m.Strings...), nil
}

func (m *SourceIndex) check() error {
	if err := m.Version.check(); err != nil {
		return err
	}
	if m.Version < V3 && m.StartRuns != 0 {
		return refuse("SourceIndex", "start_n_runs", indexStartRuns, "%v does not have it", m.Version)
	}
	for _, c := range []struct {
		field string
		at, n int
	}{
		{"directories_len", indexDirectories, len(m.Directories)},
		{"files_len", indexFiles, len(m.Files)},
		{"source_locations_len", indexLocations, len(m.Locations)},
		{"string_bytes_len", indexStrings, len(m.Strings)},
	} {
		if uint64(c.n) > math.MaxUint32 {
			return refuse("SourceIndex", c.field, c.at, "%d is too many", c.n)
		}
	}
	if n := len(m.Strings); n > 0 && m.Strings[n-1] != 0 {
		return refuse("SourceIndex", "string_bytes", m.stringsAt()+n-1, "last string has no end")
	}
	return nil
}

// indexSize is the size of a source index's fixed part.
func (v Version) indexSize() int {
	if v >= V3 {
		return indexSizeV3
	}
	return indexSize
}

// stringsAt is the offset of the string bytes.
func (m *SourceIndex) stringsAt() int {
	return m.Version.indexSize() + 4*len(m.Directories) +
		fileSize*len(m.Files) + locationSize*len(m.Locations)
}

func parseSourceIndex(v Version, b []byte) (*SourceIndex, error) {
	size := v.indexSize()
	if err := needSize("SourceIndex", b, size); err != nil {
		return nil, err
	}
	if !bytes.Equal(b[indexPadding:indexDirectories], make([]byte, indexDirectories-indexPadding)) {
		return nil, refuse("SourceIndex", "padding", indexPadding, "not zero")
	}
	directories := uint64(binary.LittleEndian.Uint32(b[indexDirectories:]))
	files := uint64(binary.LittleEndian.Uint32(b[indexFiles:]))
	locations := uint64(binary.LittleEndian.Uint32(b[indexLocations:]))
	text := uint64(binary.LittleEndian.Uint32(b[indexStrings:]))
	end, err := needRoom("SourceIndex", b, size,
		table{"directories_len", indexDirectories, 4 * directories},
		table{"files_len", indexFiles, fileSize * files},
		table{"source_locations_len", indexLocations, locationSize * locations},
		table{"string_bytes_len", indexStrings, text})
	if err == nil {
		err = needEnd("SourceIndex", b, end)
	}
	if err != nil {
		return nil, err
	}
	m := &SourceIndex{Version: v, Start: int64(binary.LittleEndian.Uint64(b[indexStart:]))}
	if v >= V3 {
		m.StartRuns = binary.LittleEndian.Uint64(b[indexStartRuns:])
	}
	m.parseTables(b[size:], directories, files, locations)
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

// parseTables reads what follows the fixed part; the sizes fit.
func (m *SourceIndex) parseTables(b []byte, directories, files, locations uint64) {
	next := func() uint32 {
		n := binary.LittleEndian.Uint32(b)
		b = b[4:]
		return n
	}
	m.Directories = make([]uint32, directories)
	for i := range m.Directories {
		m.Directories[i] = next()
	}
	m.Files = make([]File, files)
	for i := range m.Files {
		m.Files[i] = File{Directory: next(), Basename: next()}
	}
	m.Locations = make([]Location, locations)
	for i := range m.Locations {
		m.Locations[i] = Location{File: next(), Line: next(), Column: next()}
	}
	m.Strings = bytes.Clone(b)
}
