package seenpcs

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/larderbuild/larder/buildabi"
)

// ErrFormat is wrapped by the errors of content that is no coverage file, or not yet: a file that
// another process is still setting up has its full size, and zeros in it.
var ErrFormat = errors.New("no coverage file of a 64-bit little-endian program")

const (
	uniqueAt   = 8
	pcsAt      = 16
	headerSize = 24
	wordSize   = 8
)

// maxPCs bounds the program counters of a file, of which a large program has a few million. A
// number is believed where the size fits to it, and a sparse file can have any size.
const maxPCs = 1 << 26

// File is the content of a coverage file.
type File struct {
	Runs       uint64 // inputs tried, in this session and those before
	UniqueRuns uint64 // how many of them reached something new
	PCs        []uint64
	Hits       buildabi.Bits // bit i says that PCs[i] was reached
}

// Name returns the file name for an id: its bytes, least significant first, in hexadecimal. The
// file lies in folder v of the compiler's cache.
func Name(id uint64) string {
	return hex.EncodeToString(binary.LittleEndian.AppendUint64(nil, id))
}

// size returns the size of a file with that many program counters; ok is false where there is
// none.
func size(pcs uint64) (n uint64, ok bool) {
	if pcs > maxPCs {
		return 0, false
	}
	return headerSize + (pcs+63)/64*wordSize + pcs*wordSize, true
}

// header reads the fixed part of a file of that size.
func header(b []byte, fileSize uint64) (f File, pcs uint64, err error) {
	if len(b) < headerSize {
		return f, 0, fmt.Errorf("%d bytes: %w", len(b), ErrFormat)
	}
	pcs = binary.LittleEndian.Uint64(b[pcsAt:])
	if want, ok := size(pcs); !ok || want != fileSize {
		return f, 0, fmt.Errorf("%d program counters in %d bytes: %w", pcs, fileSize, ErrFormat)
	}
	f.Runs = binary.LittleEndian.Uint64(b)
	f.UniqueRuns = binary.LittleEndian.Uint64(b[uniqueAt:])
	return f, pcs, nil
}

// Parse decodes a whole file. Content whose size does not fit to its header, or that has more than
// 2^26 program counters, wraps [ErrFormat].
// The result shares no memory with b.
func Parse(b []byte) (*File, error) {
	f, pcs, err := header(b, uint64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("seenpcs: parse: %w", err)
	}
	bits := len(b) - int(pcs)*wordSize
	f.Hits = append(buildabi.Bits{}, b[headerSize:bits]...)
	f.PCs = make([]uint64, pcs)
	for i := range f.PCs {
		f.PCs[i] = binary.LittleEndian.Uint64(b[bits+i*wordSize:])
	}
	return &f, nil
}

// AppendBinary appends the file's bytes to b. Hits must have room for exactly the program
// counters, in whole words; nil stands for none reached. More than 2^26 of them are refused.
func (f *File) AppendBinary(b []byte) ([]byte, error) {
	if len(f.PCs) > maxPCs {
		return b, fmt.Errorf("seenpcs: encode: %d program counters, at most %d", len(f.PCs), maxPCs)
	}
	hits := f.Hits
	if hits == nil {
		hits = buildabi.NewBits(len(f.PCs))
	}
	if len(hits) != (len(f.PCs)+63)/64*wordSize {
		return b, fmt.Errorf("seenpcs: encode: %d bytes of hits for %d program counters",
			len(hits), len(f.PCs))
	}
	b = binary.LittleEndian.AppendUint64(b, f.Runs)
	b = binary.LittleEndian.AppendUint64(b, f.UniqueRuns)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(f.PCs)))
	b = append(b, hits...)
	for _, pc := range f.PCs {
		b = binary.LittleEndian.AppendUint64(b, pc)
	}
	return b, nil
}

// openFile opens a regular file. To open anything else, such as a named pipe, may wait for ever: it is an error that wraps
// refusal.
func openFile(path string, refusal error) (*os.File, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: path, Err: fmt.Errorf("not a regular file: %w", refusal)}
	}
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// Write creates or replaces the file at path with all of it at once: a process that follows it
// sees the old one or the new one. What a crash of the machine leaves may be either, or empty.
func Write(path string, f *File) (err error) {
	b, err := f.AppendBinary(nil)
	if err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("seenpcs: write: %w", err)
	}
	_, err = part.Write(b)
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("seenpcs: write: %w", errors.Join(err, os.Remove(part.Name())))
	}
	return nil
}
