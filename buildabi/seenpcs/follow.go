package seenpcs

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/larderbuild/larder/buildabi"
)

// Follower reads a coverage file while other processes count in it. One goroutine may use it at a
// time.
type Follower struct {
	file   *os.File
	pcs    uint64
	buffer []byte // header and bits
}

// Open opens a coverage file. One that is not complete yet wraps [ErrFormat]: try again later.
func Open(path string) (*Follower, error) {
	file, err := openFile(path, ErrFormat)
	if err != nil {
		return nil, fmt.Errorf("seenpcs: open: %w", err)
	}
	f := &Follower{file: file, buffer: make([]byte, headerSize)}
	if _, f.pcs, err = f.load(f.buffer); err == nil && f.pcs == 0 {
		err = fmt.Errorf("no program counters: %w", ErrFormat)
	}
	if err != nil {
		return nil, fmt.Errorf("seenpcs: open %s: %w", path, errors.Join(err, file.Close()))
	}
	bits, _ := size(f.pcs) // checked by load
	f.buffer = make([]byte, bits-f.pcs*wordSize)
	return f, nil
}

// load fills b with the beginning of the file and decodes the header in it, if the size fits to it.
func (f *Follower) load(b []byte) (now File, pcs uint64, err error) {
	info, err := f.file.Stat()
	if err == nil {
		err = f.read(b, 0)
	}
	if err != nil {
		return File{}, 0, err
	}
	return header(b, uint64(info.Size()))
}

// read fills b; a file that ends before is none of ours.
func (f *Follower) read(b []byte, at int64) error {
	_, err := f.file.ReadAt(b, at)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("ends early: %w", ErrFormat)
	}
	return err
}

// PCs reads the program counters, which do not change, in the order of the bits.
func (f *Follower) PCs() ([]uint64, error) {
	n, _ := size(f.pcs)
	b := make([]byte, n)
	if err := f.read(b, 0); err != nil {
		return nil, fmt.Errorf("seenpcs: read: %w", err)
	}
	all, err := Parse(b)
	if err != nil {
		return nil, err
	}
	return all.PCs, nil
}

// Coverage reads what has been reached so far. Bits beyond the last program counter are off. The
// counts may be newer than the bits, and the bits newer than those of the read before. A file
// that was cut or that grew wraps [ErrFormat].
func (f *Follower) Coverage() (*buildabi.CoverageUpdate, error) {
	now, pcs, err := f.load(f.buffer)
	if err == nil && pcs != f.pcs {
		err = fmt.Errorf("%d program counters, before %d: %w", pcs, f.pcs, ErrFormat)
	}
	if err != nil {
		return nil, fmt.Errorf("seenpcs: read: %w", err)
	}
	now.Hits = append(buildabi.Bits{}, f.buffer[headerSize:]...)
	if odd := f.pcs % 64; odd != 0 { // the last word has bits of no program counter
		for i := f.pcs; i < (f.pcs+63)/64*64; i++ {
			now.Hits[i/8] &^= 1 << (i % 8)
		}
	}
	return &buildabi.CoverageUpdate{Runs: now.Runs, UniqueRuns: now.UniqueRuns,
		Covered: now.Hits}, nil
}

// Close closes the file.
func (f *Follower) Close() error { return f.file.Close() }
