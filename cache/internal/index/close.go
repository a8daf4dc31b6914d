package index

import (
	"errors"
	"fmt"
)

// Close implements [Index]. It waits for running scans, so the body of one must not call it. ErrDamaged says that
// records were lost on the way to the disk, or that damage was reported before. When the engine cannot write its
// last tables, or has lost its folder to another, Close gives up and leaves the engine's goroutines behind.
func (b *Badger) Close() error {
	if !b.shut() {
		return nil
	}
	b.scans.Wait()
	if b.options.ReadOnly {
		return closeError(b.db.Close())
	}
	undo, err := b.home.revive()
	if err != nil {
		return closeError(err)
	}
	err = b.closeEngine()
	if undo != nil {
		return closeError(errors.Join(err, damagedf("the folder was removed"), undo()))
	}
	if err == nil {
		err = b.settle()
	}
	return closeError(err)
}

// closeEngine flushes what is in memory and ends the engine's goroutines.
func (b *Badger) closeEngine() error {
	b.flushes.restart()
	done := make(chan error, 1)
	go func() { done <- b.db.Close() }() // waited for here, unless the engine never ends
	select {
	case err := <-done:
		return err
	case <-b.flushes.over():
		return b.flushes.err()
	}
}

// settle notes in the folder how the index was left.
func (b *Badger) settle() error {
	if err := b.damaged(); err != nil {
		return err
	}
	if b.reading {
		return b.survey.unchanged()
	}
	err := b.survey.after()
	if errors.Is(err, ErrDamaged) {
		b.report(err)
	}
	return err
}

func closeError(err error) error {
	if err != nil {
		return fmt.Errorf("index: close: %w", err)
	}
	return nil
}

// shut reports whether this call is the one that closes.
func (b *Badger) shut() bool {
	b.writes.Lock()
	defer b.writes.Unlock()
	b.reads.Lock()
	defer b.reads.Unlock()
	was := b.closed
	b.closed = true
	return !was
}
