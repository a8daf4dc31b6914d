package index

import "bytes"

// Files of the engine that hold nothing for us: there are no encryption keys, and no values in its value log, whose
// statistics nobody asks for.
const (
	registryName = "KEYREGISTRY"
	discardName  = "DISCARD"

	memtableSuffix = ".mem"
	valueLogSuffix = ".vlog"

	registrySize = 28
	sanityText   = "Hello Badger"
)

// soundRegistry reports whether the list of encryption keys is the empty one that the engine writes.
func soundRegistry(dir string) bool {
	b, err := readFile(dir, registryName, registrySize)
	return err == nil && len(b) == registrySize && bytes.HasSuffix(b, []byte(sanityText))
}
