package index

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
)

// Files of the engine that hold nothing for us: there are no encryption keys, and no values in its value log.
const (
	registryName = "KEYREGISTRY"
	discardName  = "DISCARD"

	memtableSuffix = ".mem"
	valueLogSuffix = ".vlog"

	registrySize = 28
	sanityText   = "Hello Badger"
	discardSize  = 1 << 20
)

// soundRegistry reports whether the list of encryption keys is the empty one that the engine writes.
func soundRegistry(dir string) bool {
	b, err := readFile(dir, registryName, registrySize)
	return err == nil && len(b) == registrySize && bytes.HasSuffix(b, []byte(sanityText))
}

// soundDiscard reports whether the statistics of the value log are empty. Only the first of them is
// looked at, as the engine stops at an empty one.
func soundDiscard(dir string) bool {
	f, err := os.Open(filepath.Join(dir, discardName))
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	var first [16]byte
	if err != nil || !info.Mode().IsRegular() || info.Size() != discardSize {
		return false
	}
	_, err = io.ReadFull(f, first[:])
	return err == nil && first == [16]byte{}
}
