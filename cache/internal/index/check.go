package index

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const checkers = 3 // goroutines that check tables during Open

// check opens every table and reads in full those that are not known to be sound.
func (s *survey) check() error {
	ids := make(chan uint64, len(s.manifest.tables))
	for id := range s.manifest.tables {
		ids <- id
	}
	close(ids)
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		first error
		stop  atomic.Bool
	)
	sound := make(known, len(s.manifest.tables))
	for range min(checkers, len(s.manifest.tables)) {
		group.Go(func() {
			buf := newScratch()
			for id := range ids {
				if stop.Load() {
					return
				}
				sig, err := s.checkTable(id, buf)
				mu.Lock()
				sound[id] = sig
				s.learned = s.learned || sig != s.known[id]
				if err != nil && first == nil {
					first = err
					stop.Store(true)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	s.known = sound
	return first
}

func (s *survey) checkTable(id uint64, buf *scratch) (signature, error) {
	t, err := openTable(s.dir, id)
	if err != nil {
		return signature{}, damageOf(err)
	}
	defer t.close()
	sig, old := t.signature(id, time.Now()), s.known[id]
	if s.exact && sig.footer != old.footer {
		return sig, damagedf("%s is another table than at the last close", tableName(id))
	}
	if old.same(sig) && old.fresh == 0 && !s.thorough {
		sig, err = old, t.verifyOpening(buf)
	} else {
		err = t.verify(buf, keyRange{})
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", tableName(id), damageOf(err))
	}
	return sig, err
}

// verify reads the blocks of these tables that may hold keys of r. A table that is gone is damage: the caller
// holds on to them.
func (s *survey) verify(ctx context.Context, ids []uint64, r keyRange) error {
	buf := newScratch()
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.verifyTable(id, buf, r); err != nil {
			return fmt.Errorf("%s: %w", tableName(id), damageOf(err))
		}
	}
	return nil
}

func (s *survey) verifyTable(id uint64, buf *scratch, r keyRange) error {
	t, err := openTable(s.dir, id)
	if err != nil {
		return err
	}
	defer t.close()
	return t.verify(buf, r)
}

// after looks at the folder that the engine has closed and notes that it is clean.
func (s *survey) after() error {
	b, err := readFile(s.dir, manifestName, maxManifest)
	if err != nil {
		return err
	}
	m, err := parseManifest(b)
	if err != nil {
		return damagedf("%w", err)
	}
	if err := removeLogs(s.dir); err != nil {
		return err
	}
	list := make(known, len(m.tables))
	for id := range m.tables {
		if list[id], err = s.identify(id, time.Now()); err != nil {
			return damageOf(err)
		}
	}
	return s.phase.finish(s.dir, list)
}

// unchanged notes that the folder is clean and as it was. The next Open need not read the tables again that had to be
// read this time, if the list can be written.
func (s *survey) unchanged() error {
	if s.learned && s.phase.finish(s.dir, s.known) == nil {
		return nil
	}
	return s.enter(phaseClean)
}

// removeLogs takes the engine's value log away, which is empty: a read-only Open could not.
func removeLogs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == valueLogSuffix {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// identify returns the signature of a table that is right: it was checked and is as it was then, or is of
// our making. Otherwise the next Open has to check it.
func (s *survey) identify(id uint64, now time.Time) (signature, error) {
	t, err := openTable(s.dir, id)
	if err != nil {
		return signature{}, err
	}
	defer t.close()
	sig, old := t.signature(id, now), s.known[id]
	if old.id == id && !old.same(sig) {
		sig.fresh = 1
	}
	return sig, nil
}

// first returns the number of tables on the first level, all of which a Get may have to look into.
func (s *survey) first() int {
	n := 0
	for _, level := range s.manifest.tables {
		if level == 0 {
			n++
		}
	}
	return n
}
