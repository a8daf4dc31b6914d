package gocacheprog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Every folder that holds a session's bodies is named with this prefix and random
// digits, below the folder that the options name, or below the system's temporary one.
const sessionPrefix = "gocacheprog-"

// keepFor is how long a path stays valid after its session. The go command asks a cache
// for a day: the paths that `go list -export` prints are read after it has ended.
const keepFor = 24 * time.Hour

// shelf keeps the bodies that the store did not take, as files in a session folder that
// is made at the first need. It is safe for concurrent use.
type shelf struct {
	mu      sync.Mutex
	parents []string // where session folders may be made and none is yet
	dirs    []string // session folders made; the last one is in use
	files   int
	objects map[ID]Object // what this session can still answer a get with
	beat    *time.Timer
}

func newShelf(parent string) *shelf {
	s := &shelf{objects: make(map[ID]Object)}
	if parent != "" {
		s.parents = append(s.parents, parent)
	}
	s.parents = append(s.parents, os.TempDir())
	return s
}

// keep remembers what answers a get for action during this session.
func (s *shelf) keep(action ID, o Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[action] = o
}

// find returns what keep was given, if its file is still there: the go command moves
// files that it was told of.
func (s *shelf) find(action ID) (Object, bool) {
	s.mu.Lock()
	o, ok := s.objects[action]
	s.mu.Unlock()
	if !ok {
		return Object{}, false
	}
	info, err := os.Lstat(o.Path)
	return o, err == nil && info.Mode().IsRegular() && info.Size() == o.Size
}

// forget drops what keep remembered, for the store has it now.
func (s *shelf) forget(action ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, action)
}

// write puts a whole body on the shelf and returns its path.
func (s *shelf) write(content []byte) (string, error) {
	b, err := newShelved(s)
	if err != nil {
		return "", err
	}
	if _, err := b.Write(content); err != nil {
		b.discard()
		return "", err
	}
	return b.commit()
}

// create makes an empty file in the session folder.
func (s *shelf) create() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for range len(s.parents) + 2 {
		if len(s.dirs) > 0 {
			s.files++
			dir := s.dirs[len(s.dirs)-1]
			name := filepath.Join(dir, strconv.Itoa(s.files))
			f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
			if err == nil {
				return f, nil
			}
			errs = append(errs, err)
			if errors.Is(err, fs.ErrNotExist) { // somebody has removed the folder
				s.parents = slices.Insert(s.parents, 0, filepath.Dir(dir))
			}
		}
		errs = append(errs, s.nextFolder())
	}
	return nil, errors.Join(errs...)
}

// leave makes the next file go to another session folder, for dir refused a write.
func (s *shelf) leave(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.dirs) == 0 || s.dirs[len(s.dirs)-1] != dir {
		return nil // somebody else has moved on already
	}
	return s.nextFolder()
}

// nextFolder makes a session folder below the first parent that allows it.
func (s *shelf) nextFolder() error {
	var errs []error
	for len(s.parents) > 0 {
		parent := s.parents[0]
		s.parents = s.parents[1:]
		dir, err := makeFolder(parent)
		if err == nil {
			s.dirs = append(s.dirs, dir)
			s.heartbeat()
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, errNoFolder)...)
}

// errNoFolder ends the search for a place that a session may write to.
var errNoFolder = errors.New("no session folder can be made")

func makeFolder(parent string) (string, error) {
	parent, err := filepath.Abs(parent)
	if err != nil {
		return "", err
	}
	if !nameable(parent) {
		return "", fmt.Errorf("%q is not UTF-8", parent)
	}
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return "", err
	}
	return os.MkdirTemp(parent, sessionPrefix+"*")
}

// heartbeat renews the session folders' times while the session lasts, so that a later
// one does not take a long session for a dead one. The timer ends with close.
func (s *shelf) heartbeat() {
	if s.beat != nil {
		return
	}
	s.beat = time.AfterFunc(keepFor/4, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.beat != nil {
			s.touch()
			s.beat.Reset(keepFor / 4)
		}
	})
}

func (s *shelf) touch() {
	now := time.Now()
	for _, dir := range s.dirs {
		os.Chtimes(dir, now, now) // a folder that is gone needs no time
	}
}

// close ends the session: its folders stay for [keepFor] from now on, empty ones go.
// It returns the parents that folders were made below.
func (s *shelf) close() (parents []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.beat != nil {
		s.beat.Stop()
		s.beat = nil
	}
	for _, dir := range s.dirs {
		parents = append(parents, filepath.Dir(dir))
		os.Remove(dir) // refused while there are files
	}
	s.touch()
	return parents
}
