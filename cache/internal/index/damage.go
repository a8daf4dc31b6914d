package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// damagedf makes an error that is ErrDamaged.
func damagedf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// damaged returns what was reported.
func (b *Badger) damaged() error {
	if err := b.damage.Load(); err != nil {
		return *err
	}
	return nil
}

// report makes the damage stick: in the folder too, so that the next open does not believe it.
func (b *Badger) report(err error) {
	if !b.damage.CompareAndSwap(nil, &err) {
		return
	}
	if !b.options.ReadOnly {
		b.survey.enter(phaseDamaged) // as well as can be: the hook tells
	}
	if b.options.OnDamage != nil {
		b.options.OnDamage(err)
	}
}

// ended is called by the engine's compactions when they are over.
func (b *Badger) ended(compactor int, done bool) {
	if !done {
		b.ledger.failed(compactor)
	} else if lost := b.ledger.done(compactor); lost > 0 {
		b.report(damagedf("compaction could not read %d records", lost))
	}
}

// Verify reads all tables and compares their checksums. It finds what no normal open looks for: a table that
// changed on the disk although its size and times are what they were.
func (b *Badger) Verify(ctx context.Context) error {
	s, err := b.scan(nil)
	if err == nil {
		defer s.close()
		var ids []uint64
		for _, t := range s.tables {
			ids = append(ids, t.ID)
		}
		if err = b.survey.verify(ctx, ids, keyRange{}); errors.Is(err, ErrDamaged) {
			b.report(err)
		}
	}
	if err != nil {
		return fmt.Errorf("index: verify: %w", err)
	}
	return nil
}

// damageOf says that a missing file or a device that cannot read is damage. Other errors, such as too many
// open files, are no reason to throw an index away.
func damageOf(err error) error {
	if !errors.Is(err, ErrDamaged) && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EIO)) {
		return damagedf("%w", err)
	}
	return err
}

// readFile reads a file of at most limit bytes.
func readFile(dir, name string, limit int64) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, damageOf(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = damagedf("%s is longer than %d bytes", name, limit)
	}
	return b, damageOf(err)
}
