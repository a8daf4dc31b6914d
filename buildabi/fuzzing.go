package buildabi

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Fuzz is the fuzzing of one build. Its methods return [ErrSuperseded] once another build or
// another fuzz session has begun, and other errors for arguments that would mislead a client;
// nothing is sent then. It is safe for concurrent use, and no call waits for a client.
type Fuzz struct {
	board *Board

	// What follows is guarded by the board's lock; what it points to is never changed.
	index    *indexed // nil before SetIndex
	coverage []byte   // the encoded update; nil before the first
	entries  []byte   // the encoded entry points; nil before the first
}

// indexed is a source index, and its bytes.
type indexed struct {
	*SourceIndex
	bytes []byte
}

// StartFuzz begins a fuzz session and shows that it is being prepared, until [Build.Finish].
// Another one ends. So does this one with the next StartBuild.
func (u *Build) StartFuzz() (*Fuzz, error) {
	b := u.board
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.build != u {
		return nil, ErrSuperseded
	}
	b.state.status = FuzzInit
	b.state.fuzz = &Fuzz{board: b}
	b.changed()
	return b.state.fuzz, nil
}

// SetIndex says what is fuzzed, from now on; coverage and entry points that were set before are
// gone. The index's Start is the board's time, its Version that of the board, and a board of
// [V1] ignores StartRuns. The content is copied.
func (f *Fuzz) SetIndex(index *SourceIndex) error {
	b := f.board
	m := *index
	m.Version, m.Start = b.version, b.now()
	if m.Version < V3 {
		m.StartRuns = 0
	}
	bytes, err := m.AppendBinary(nil)
	if err != nil {
		return fmt.Errorf("buildabi: set index: %w", err)
	}
	var alone Reader
	if alone.follow(&m); len(alone.findings) > 0 {
		return fmt.Errorf("buildabi: set index: %v", alone.findings[0])
	}
	own, err := parseSourceIndex(b.version, bytes)
	if err != nil {
		return fmt.Errorf("buildabi: set index: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.fuzz != f {
		return ErrSuperseded
	}
	f.index, f.coverage, f.entries = &indexed{own, bytes}, nil, nil
	b.changed()
	return nil
}

var errNoIndex = errors.New("no source index yet")

// UpdateCoverage says what has been reached so far. The update's bits have room for the locations
// of the index, in whole words; bits beyond them are ignored. The content is copied. No client is
// told at once: it goes with what is sent next, or within 500 ms.
func (f *Fuzz) UpdateCoverage(update *CoverageUpdate) error {
	bytes, err := update.AppendBinary(nil)
	if err != nil {
		return fmt.Errorf("buildabi: update coverage: %w", err)
	}
	b := f.board
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := f.fits(update); err != nil {
		return err
	}
	clearFrom(bytes[coverageSize:], len(f.index.Locations))
	f.coverage = bytes
	return nil
}

func (f *Fuzz) fits(update *CoverageUpdate) error {
	switch {
	case f.board.state.fuzz != f:
		return ErrSuperseded
	case f.index == nil:
		return fmt.Errorf("buildabi: update coverage: %w", errNoIndex)
	case len(update.Covered) != bitsSize(len(f.index.Locations)):
		return fmt.Errorf("buildabi: update coverage: %d bytes for %d locations",
			len(update.Covered), len(f.index.Locations))
	case update.Runs < f.index.StartRuns:
		return fmt.Errorf("buildabi: update coverage: %d runs, %d at the start",
			update.Runs, f.index.StartRuns)
	}
	return nil
}

// clearFrom turns bit n and those after it off; they are in the last word.
func clearFrom(set Bits, n int) {
	if n%64 == 0 {
		return
	}
	last := set[len(set)-wordSize:]
	word := binary.LittleEndian.Uint64(last) & (1<<(n%64) - 1)
	binary.LittleEndian.PutUint64(last, word)
}

// SetEntryPoints says where the fuzzed tests begin, as indices of known locations of the index: at
// most 2^24-1. The list is copied.
func (f *Fuzz) SetEntryPoints(locations ...uint32) error {
	m := &EntryPoints{locations}
	bytes, err := m.AppendBinary(nil)
	if err != nil {
		return fmt.Errorf("buildabi: set entry points: %w", err)
	}
	b := f.board
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.state.fuzz != f:
		return ErrSuperseded
	case f.index == nil:
		return fmt.Errorf("buildabi: set entry points: %w", errNoIndex)
	}
	within := Reader{index: f.index.SourceIndex}
	if within.follow(m); len(within.findings) > 0 {
		return fmt.Errorf("buildabi: set entry points: %v", within.findings[0])
	}
	f.entries = bytes
	b.changed()
	return nil
}
