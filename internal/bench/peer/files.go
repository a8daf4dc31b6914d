package peer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// files keeps each value in a file named by its key, in 256 folders. A put writes a temporary file
// while hashing it with SHA-256 and renames it; a get reads the file and verifies nothing. When durable,
// the file is synced before the rename and its folder after it.
type files struct {
	dir     string
	durable bool
}

func openFiles(dir string, m Mode) (Store, error) {
	for i := range 256 {
		if err := os.MkdirAll(filepath.Join(dir, fmt.Sprintf("%02x", i)), 0o777); err != nil {
			return nil, err
		}
	}
	return &files{dir: dir, durable: m.Durable}, nil
}

func (f *files) path(key [32]byte) (folder, name string) {
	text := hex.EncodeToString(key[:])
	return filepath.Join(f.dir, text[:2]), text
}

func (f *files) Put(key [32]byte, value []byte) error {
	folder, name := f.path(key)
	tmp, err := os.CreateTemp(folder, "tmp-")
	if err != nil {
		return err
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(tmp, hash), bytes.NewReader(value))
	if err == nil && f.durable {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	hash.Sum(nil) // the digest would name the content; what it costs is what matters here
	if err := os.Rename(tmp.Name(), filepath.Join(folder, name)); err != nil {
		return err
	}
	if f.durable {
		return syncFolder(folder)
	}
	return nil
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f *files) Get(key [32]byte) ([]byte, error) {
	folder, name := f.path(key)
	value, err := os.ReadFile(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	return value, err
}

func (f *files) Close() error { return nil }
