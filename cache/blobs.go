package cache

import (
	"encoding/hex"
	"fmt"
	"path/filepath"

	"github.com/larderbuild/larder/internal/vfs"
)

// Payload files are in folders named by the first digits of their digests. There are 16 because the
// first file of each folder pays for making it, which can take as long as to make the file, and a
// sync of many files for syncing each of their folders: with the 256 of version 1, the first 500
// files of a store took twice as long, and 64 goroutines that put 1 MiB durably were slower by an
// eighth (ext4, two processors).

// folderDigits is how many digits name a folder of payload files.
func (s *Store) folderDigits() int {
	if s.version == 1 {
		return 2
	}
	return 1
}

// blobFolders is how many folders of payload files there are, once each has a file.
func (s *Store) blobFolders() int { return 1 << (4 * s.folderDigits()) }

// blobFolder is the i-th folder.
func (s *Store) blobFolder(i int) string {
	return filepath.Join(s.dir, "blobs", fmt.Sprintf("%0*x", s.folderDigits(), i))
}

// folderOf is the number of the folder that the payload file of a digest stands in.
func (s *Store) folderOf(d *Digest) int { return int(d[0]) >> (8 - 4*s.folderDigits()) }

// blobPath is where the payload file of a digest stands.
func (s *Store) blobPath(d *Digest) string {
	return s.dir + string(filepath.Separator) + s.blobName(d)
}

// blobName is blobPath relative to the root.
func (s *Store) blobName(d *Digest) string {
	const root, sep = "blobs", filepath.Separator
	var text [2 * len(d)]byte
	hex.Encode(text[:], d[:])
	b := append(make([]byte, 0, len(root)+4+len(text)), root...)
	b = append(append(b, sep), text[:s.folderDigits()]...)
	b = append(append(b, sep), text[:]...)
	return string(b)
}

// renameIn has rename move a temporary file to its final name; the first file of a folder makes the
// folder.
func (s *Store) renameIn(rename func(tmp, final string) error, tmp, final string) error {
	err := rename(tmp, final)
	if !isNotExist(err) {
		return err
	}
	if err := s.makeBlobs(filepath.Dir(final)); err != nil {
		return err
	}
	return rename(tmp, final)
}

// makeBlobs makes a folder of payload files. It says first that a name in blobs is not durable:
// whoever finds the new folder and syncs what is in it must see that.
func (s *Store) makeBlobs(dir string) error {
	s.blobsMu.Lock()
	defer s.blobsMu.Unlock()
	s.blobsSynced = false
	_, err := vfs.MakeDir(s.fs, dir)
	return err
}

// syncBlobs makes the names of the folders of payload files durable. The first file of a life needs
// it too: a life that was killed may have made the folder, and nothing tells of it.
func (s *Store) syncBlobs() error {
	s.blobsMu.Lock()
	defer s.blobsMu.Unlock()
	if s.blobsSynced {
		return nil
	}
	err := s.fs.SyncDir(filepath.Join(s.dir, "blobs"))
	s.blobsSynced = err == nil
	return err
}

// versionOfBlobs tells the version of a root by the names of its folders of payload files, which
// are longer in one of version 1.
func (s *Store) versionOfBlobs() (int, error) {
	entries, err := s.fs.ReadDir(filepath.Join(s.dir, "blobs"))
	if err != nil && !isNotExist(err) {
		return 0, err
	}
	for _, e := range entries {
		if b, err := hex.DecodeString(e.Name()); err == nil && len(b) == 1 {
			return 1, nil
		}
	}
	return formatVersion, nil
}
