package vfs

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// String lists the tree for the message of a failed test, one name a line: path, size, inode,
// links, the start of the content's SHA-256, and "unsynced" where a power loss could matter.
func (m *Mem) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	m.root.print(&b, "/")
	return b.String()
}

func (n *node) print(b *strings.Builder, name string) {
	fmt.Fprintf(b, "%s %v inode %d", name, n.meta.mode, n.inode)
	if !n.isDir() {
		sum := sha256.Sum256(n.data)
		fmt.Fprintf(b, " links %d size %d sha256 %x", n.links, len(n.data), sum[:4])
	}
	if len(n.edits) > 0 || len(n.changes) > 0 {
		b.WriteString(" unsynced")
	}
	b.WriteByte('\n')
	for _, base := range slices.Sorted(maps.Keys(n.names)) {
		n.names[base].print(b, path.Join(name, base))
	}
}
