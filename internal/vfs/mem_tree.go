package vfs

import (
	"io/fs"
	"syscall"
	"time"
)

// node is a file or a folder, with what is true now and what is durable.
type node struct {
	inode uint64
	links uint64 // names in the tree as it is now
	opens int
	meta  meta
	kept  meta // as of the last sync

	contents // of a file

	// Of a folder; names is nil for a file.
	names     map[string]*node // as it is now
	keptNames map[string]*node // as of the last sync
	changes   []change         // since then, oldest first
}

type meta struct {
	mode    fs.FileMode
	modTime time.Time
}

// change is one call's edit of one folder: a crash keeps all of it or nothing.
type change []entry

// entry gives a name a file or folder; nil takes the name away.
type entry struct {
	name string
	node *node
}

func (m *Mem) newNode(mode fs.FileMode) *node {
	m.inode++
	n := &node{inode: m.inode, meta: meta{mode, time.Now()}}
	n.kept = n.meta
	if mode.IsDir() {
		n.names, n.keptNames = map[string]*node{}, map[string]*node{}
	}
	return n
}

func (n *node) isDir() bool { return n.names != nil }

// set makes one change of a folder.
func (n *node) set(c ...entry) {
	for _, e := range c {
		if old := n.names[e.name]; old != nil {
			old.links--
		}
		if e.node != nil {
			e.node.links++
		}
		put(n.names, e)
	}
	n.changes = append(n.changes, c)
	n.meta.modTime = time.Now()
}

func put(names map[string]*node, e entry) {
	if e.node == nil {
		delete(names, e.name)
		return
	}
	names[e.name] = e.node
}

// syncNames makes the changes durable. It does not copy names: a change that a failed sync
// has lost stays lost.
func (n *node) syncNames() {
	for _, c := range n.changes {
		for _, e := range c {
			put(n.keptNames, e)
		}
	}
	n.changes = nil
	n.kept = n.meta
}

func (n *node) info(base string) memInfo {
	return memInfo{base, int64(len(n.data)), n.meta, ID{n.inode, n.links}}
}

// find returns the folder that holds name, the name in it, and what it names: nil when absent.
// The root is in itself as "/".
func (m *Mem) find(name string) (dir *node, base string, n *node, err error) {
	if name == "" {
		return nil, "", nil, syscall.ENOENT
	}
	base, n = "/", m.root
	for _, part := range split(name) {
		if n == nil {
			return nil, "", nil, syscall.ENOENT
		}
		if !n.isDir() {
			return nil, "", nil, syscall.ENOTDIR
		}
		dir, base, n = n, part, n.names[part]
	}
	return dir, base, n, nil
}

func (m *Mem) folder(name string) (*node, error) {
	_, _, n, err := m.find(name)
	switch {
	case err != nil:
		return nil, err
	case n == nil:
		return nil, syscall.ENOENT
	case !n.isDir():
		return nil, syscall.ENOTDIR
	}
	return n, nil
}

// release gives back the space of a file that nothing refers to any more.
func (m *Mem) release(n *node) {
	if n.links == 0 && n.opens == 0 {
		m.used -= int64(len(n.data))
	}
}

// memInfo is the fs.FileInfo of a node.
type memInfo struct {
	name string
	size int64
	meta meta
	id   ID
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) Mode() fs.FileMode  { return i.meta.mode }
func (i memInfo) ModTime() time.Time { return i.meta.modTime }
func (i memInfo) IsDir() bool        { return i.meta.mode.IsDir() }
func (i memInfo) Sys() any           { return i.id }
