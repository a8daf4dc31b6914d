package seenpcs

import (
	"bytes"
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"debug/macho"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/larderbuild/larder/buildabi"
)

// Resolver finds the source locations of program counters in the debug information of one
// executable, and remembers them. One goroutine may use it at a time.
type Resolver struct {
	data  *dwarf.Data
	known map[uint64]place
}

// place is where a program counter comes from; its file is empty where that is not known.
type place struct {
	file         string
	line, column int
}

// NewResolver reads the debug information of an ELF or Mach-O executable, or of the file in which
// a Mach-O linker put it. PE executables, Mach-O files for several processors and all others
// wrap [errors.ErrUnsupported].
func NewResolver(executable string) (*Resolver, error) {
	data, err := readDebug(executable)
	if err != nil {
		return nil, fmt.Errorf("seenpcs: debug information of %s: %w", executable, err)
	}
	return &Resolver{data, map[uint64]place{}}, nil
}

func readDebug(executable string) (*dwarf.Data, error) {
	file, err := openFile(executable, errors.ErrUnsupported)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	magic := make([]byte, 4)
	if _, err := file.ReadAt(magic, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case string(magic) == elf.ELFMAG:
		f, err := elf.NewFile(file)
		if err != nil {
			return nil, err
		}
		return f.DWARF()
	case bytes.Equal(magic, []byte{0xcf, 0xfa, 0xed, 0xfe}): // 64 bits, little endian
		f, err := macho.NewFile(file)
		if err != nil {
			return nil, err
		}
		return f.DWARF()
	}
	return nil, fmt.Errorf("neither ELF nor Mach-O: %w", errors.ErrUnsupported)
}

// Index returns the source index of program counters: location i is that of pcs[i], and
// [buildabi.NoLocation] where none is known. Files are in the order of their paths.
func (r *Resolver) Index(pcs []uint64) (*buildabi.SourceIndex, error) {
	if err := r.resolve(pcs); err != nil {
		return nil, fmt.Errorf("seenpcs: line table: %w", err)
	}
	var names []string
	for _, pc := range pcs {
		names = append(names, r.known[pc].file)
	}
	slices.SortFunc(names, compareFolders)
	index := &buildabi.SourceIndex{Locations: make([]buildabi.Location, len(pcs))}
	numbers := map[string]uint32{}
	for _, name := range slices.Compact(names) {
		if name != "" {
			numbers[name] = index.AddFile(split(name))
		}
	}
	for i, pc := range pcs {
		index.Locations[i] = buildabi.NoLocation()
		if p := r.known[pc]; p.file != "" {
			index.Locations[i] = buildabi.Location{File: numbers[p.file],
				Line: uint32(p.line), Column: uint32(p.column)}
		}
	}
	return index, nil
}

// compareFolders keeps the files of one folder together.
func compareFolders(a, b string) int {
	folderA, baseA := split(a)
	folderB, baseB := split(b)
	return cmp.Or(strings.Compare(folderA, folderB), strings.Compare(baseA, baseB))
}

// split divides a path into the names that joined by a slash are that path again.
func split(name string) (directory, basename string) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return ".", name
	}
	return name[:i], name[i+1:]
}

// resolve makes the places of all program counters known.
func (r *Resolver) resolve(pcs []uint64) error {
	var missing []uint64
	for _, pc := range pcs {
		if _, known := r.known[pc]; !known {
			missing = append(missing, pc)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	found := map[uint64]place{}
	for units := r.data.Reader(); ; units.SkipChildren() {
		unit, err := units.Next()
		if err != nil {
			return err
		}
		if unit == nil {
			break
		}
		if unit.Tag != dwarf.TagCompileUnit {
			continue
		}
		if err := r.lines(unit, missing, found); err != nil {
			return err
		}
	}
	for _, pc := range missing { // those that no table has too, so that they are not looked for again
		r.known[pc] = found[pc]
	}
	return nil
}

// lines reads the line table of one unit. A row holds for the addresses up to those of the next one;
// rows without a line, which compilers make for code of their own, belong to the one before, as
// Zig has it.
func (r *Resolver) lines(unit *dwarf.Entry, missing []uint64, found map[uint64]place) error {
	table, err := r.data.LineReader(unit)
	if err != nil || table == nil {
		return err
	}
	folder, _ := unit.Val(dwarf.AttrCompDir).(string)
	var row, next dwarf.LineEntry
	for started := false; ; {
		err := table.Next(&next)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if next.Line <= 0 && !next.EndSequence {
			continue
		}
		if started && row.File != nil {
			for _, pc := range between(missing, row.Address, next.Address) {
				if _, first := found[pc]; !first {
					found[pc] = place{absolute(folder, row.File.Name), row.Line, row.Column}
				}
			}
		}
		row, started = next, !next.EndSequence
	}
}

// between returns the addresses from start up to end.
func between(sorted []uint64, start, end uint64) []uint64 {
	from, _ := slices.BinarySearch(sorted, start)
	to, _ := slices.BinarySearch(sorted, end)
	return sorted[from:max(from, to)]
}

// absolute joins the folder in which a unit was compiled and a name that may be relative to it.
func absolute(folder, name string) string {
	if path.IsAbs(name) || len(name) > 1 && name[1] == ':' { // a drive
		return name
	}
	return path.Join(folder, name)
}

// EntryPoint returns the location at which a test begins: that of the greatest program counter not
// above its start address. ok is false if there is none or its location is not known.
func EntryPoint(index *buildabi.SourceIndex, pcs []uint64, start uint64) (at uint32, ok bool) {
	best := -1
	for i, pc := range pcs {
		if pc <= start && (best < 0 || pc > pcs[best]) {
			best = i
		}
	}
	if best < 0 || best >= len(index.Locations) ||
		index.Locations[best] == buildabi.NoLocation() {
		return 0, false
	}
	return uint32(best), true
}
