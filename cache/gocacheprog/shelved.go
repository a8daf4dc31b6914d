package gocacheprog

import (
	"io"
	"os"
	"path/filepath"
)

// shelved is one body on its way to the shelf. When its folder refuses a write, as on a
// full disk, it moves to the next one and takes along what it has.
// It is not safe for concurrent use.
type shelved struct {
	shelf *shelf
	f     *os.File
	size  int64
}

// newShelved makes an empty body.
func newShelved(s *shelf) (*shelved, error) {
	f, err := s.create()
	if err != nil {
		return nil, err
	}
	return &shelved{shelf: s, f: f}, nil
}

// Write appends p. After an error the body is of no use.
func (b *shelved) Write(p []byte) (int, error) {
	n, err := b.f.WriteAt(p, b.size)
	for err != nil {
		if err := b.move(); err != nil {
			return n, err
		}
		n, err = b.f.WriteAt(p, b.size)
	}
	b.size += int64(n)
	return n, nil
}

// move copies the body into the next session folder.
func (b *shelved) move() error {
	if err := b.shelf.leave(filepath.Dir(b.f.Name())); err != nil {
		return err
	}
	old := b.f
	f, err := b.shelf.create()
	if err != nil {
		return err
	}
	b.f = f
	_, err = io.Copy(f, io.NewSectionReader(old, 0, b.size))
	old.Close()
	os.Remove(old.Name())
	return err
}

// commit closes the file and returns its path.
func (b *shelved) commit() (string, error) {
	if err := b.f.Close(); err != nil {
		os.Remove(b.f.Name())
		return "", err
	}
	return b.f.Name(), nil
}

// discard removes the file.
func (b *shelved) discard() {
	b.f.Close()
	os.Remove(b.f.Name())
}
