package index

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

const maxManifest = 64 << 20

// survey is what a look at the folder found, before the engine opens it.
type survey struct {
	dir      string
	mu       sync.Mutex // guards phase once the engine is open
	phase    phase
	manifest manifest
	present  map[uint64]bool // table files
	strays   []string        // files to remove: logs of the engine that nobody needs, and left-overs
	listed   bool            // there is a manifest
	known    known           // from a clean Close just before; then the tables found sound
	exact    bool            // the folder must be what it was at the last Close, as known says
	learned  bool            // known tells more than the list of the last Close
	thorough bool            // every table must be read, as every one is that known does not tell of
}

// look reads the folder's names and small files. It changes nothing.
func look(dir string) (*survey, error) {
	s := &survey{dir: dir, present: map[uint64]bool{}, known: known{}}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var states [phaseDamaged + 1]bool
	for _, e := range entries {
		if p := phaseOf(e.Name()); p != phaseNone {
			states[p] = true
			s.phase = max(s.phase, p)
		} else if err := s.sort(e); err != nil {
			return nil, err
		}
	}
	for p := phaseClean; p < s.phase; p++ {
		if states[p] {
			s.strays = append(s.strays, p.file())
		}
	}
	if s.phase == phaseDamaged || s.phase == phaseRetry {
		return nil, damagedf("the last process left it as %s", s.phase.file())
	}
	if !s.listed {
		if len(s.present) > 0 || s.phase != phaseNone && s.phase != phaseOpening {
			return nil, damagedf("%s is missing", manifestName)
		}
		return s, nil
	}
	if err := s.readManifest(); err != nil {
		return nil, err
	}
	return s, s.match()
}

// enter moves the folder to the next phase. A damaged one stays so.
func (s *survey) enter(next phase) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == phaseDamaged {
		return nil
	}
	if err := s.phase.enter(s.dir, next); err != nil {
		return err
	}
	s.phase = next
	return nil
}

// sort decides what a name in the folder is.
func (s *survey) sort(e fs.DirEntry) error {
	name := e.Name()
	id, isTable := tableID(name)
	switch {
	case name == manifestName || isTable:
		if !e.Type().IsRegular() {
			return damagedf("%s is not a file", name)
		}
		s.listed = s.listed || !isTable
		if isTable {
			s.present[id] = true
		}
	case name == registryName && soundRegistry(s.dir), name == discardName && e.Type().IsRegular():
	case isStray(name):
		s.strays = append(s.strays, name)
	}
	return nil
}

// isStray reports whether the engine or this package makes files of that name, none of which is needed to open.
func isStray(name string) bool {
	switch name {
	case newState, registryName, discardName, "MANIFEST-REWRITE", "REWRITE-KEYREGISTRY", "LOCK":
		return true
	}
	switch filepath.Ext(name) {
	case memtableSuffix, valueLogSuffix, tableSuffix: // a table that comes here has a name that the engine would not write
		return true
	}
	return false
}

func (s *survey) readManifest() error {
	b, err := readFile(s.dir, manifestName, maxManifest)
	if err != nil {
		return err
	}
	if s.manifest, err = parseManifest(b); err != nil {
		return damagedf("%w", err)
	}
	if s.phase != phaseClean {
		return nil
	}
	if b, err = readFile(s.dir, s.phase.file(), maxManifest); err == nil {
		s.known, err = parseKnown(b)
	}
	s.exact = err == nil // else every table is read
	return nil
}

// match compares the numbers of tables now and at a clean Close, and finds the tables that nobody needs. check compares the
// tables themselves.
func (s *survey) match() error {
	if s.exact && len(s.known) != len(s.manifest.tables) {
		return damagedf("%s does not list as many tables as at the last close", manifestName)
	}
	for id := range s.present {
		if _, ok := s.manifest.tables[id]; !ok {
			s.strays = append(s.strays, tableName(id)) // a flush or a compaction was interrupted
		}
	}
	return nil
}

// sweep removes the strays.
func (s *survey) sweep() error {
	for _, name := range s.strays {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	return nil
}
