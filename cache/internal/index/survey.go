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
	known    known           // from the last clean Close; then the tables found sound
	readable bool            // known could be read
	thorough bool            // every table must be read
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
	case name == registryName && soundRegistry(s.dir), name == discardName && soundDiscard(s.dir):
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
	if s.phase == phaseClean && s.manifest.whole != len(b) {
		return damagedf("%s ends in half a record", manifestName)
	}
	if s.phase == phaseNone {
		return nil
	}
	if b, err = readFile(s.dir, s.phase.file(), maxManifest); err == nil {
		s.known, err = parseKnown(b)
	}
	s.readable = err == nil // else every table is read
	return nil
}

// exact reports whether the folder must be what it was at the last Close.
func (s *survey) exact() bool { return s.phase == phaseClean && s.readable }

// match compares the manifest with the tables that are there, and after a clean Close with those that were there then.
func (s *survey) match() error {
	for id := range s.manifest.tables {
		if !s.present[id] {
			return damagedf("%s is missing", tableName(id))
		}
		if _, ok := s.known[id]; !ok && s.exact() {
			return damagedf("%s lists %s, which was not there at the last close", manifestName, tableName(id))
		}
	}
	if s.exact() && len(s.known) != len(s.manifest.tables) {
		return damagedf("%s lists fewer tables than at the last close", manifestName)
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
