package vfs

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Mem is a file system in memory for tests, with the rules of a POSIX system run by root:
// permissions are kept but not enforced, an unlinked file stays readable while it is open,
// a rename replaces its target. It knows what is durable, so that [Mem.Crash] and
// [Mem.Kill] can make the tree that a crash at this moment may leave.
//
// Names are cleaned, ".." by text alone, and a relative one starts at the root. There are
// no links of either kind, though a crash may leave one file under two names, and no
// O_APPEND. Times are the clock's.
type Mem struct {
	mu    sync.Mutex // guards everything below, the nodes and the open files included
	root  *node
	inode uint64 // last one given
	size  int64  // of the disk; negative is without limit
	used  int64  // bytes of all files that have a name or are open
}

// NewMem returns an empty tree in which the given folders and their parents already
// exist and are durable.
func NewMem(folders ...string) *Mem {
	m := &Mem{size: -1}
	m.root = m.newNode(fs.ModeDir | 0o755)
	for _, name := range folders {
		at := m.root
		for _, part := range split(name) {
			child := at.names[part]
			if child == nil {
				child = m.newNode(fs.ModeDir | 0o755)
				at.set(entry{part, child})
			}
			at.syncNames()
			at = child
		}
	}
	return m
}

// SetSize makes the disk hold at most bytes of file content; negative, as at the start,
// is without limit. A write beyond it is cut short and fails with ENOSPC. Names are free.
func (m *Mem) SetSize(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.size = bytes
}

// OpenFile opens a file, or a folder for reading; Sync of an open folder is SyncDir.
func (m *Mem) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.open(name, flag, perm)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	n.opens++
	return &memFile{m: m, n: n, name: name, flag: flag}, nil
}

func (m *Mem) open(name string, flag int, perm fs.FileMode) (*node, error) {
	dir, base, n, err := m.find(name)
	switch {
	case err != nil:
		return nil, err
	case flag&os.O_APPEND != 0:
		return nil, syscall.EINVAL
	case n == nil && flag&os.O_CREATE == 0:
		return nil, syscall.ENOENT
	case n == nil:
		n = m.newNode(perm & fs.ModePerm)
		dir.set(entry{base, n})
		return n, nil
	case flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, syscall.EEXIST
	case n.isDir() && flag&(os.O_WRONLY|os.O_RDWR|os.O_CREATE|os.O_TRUNC) != 0:
		return nil, syscall.EISDIR
	case flag&os.O_TRUNC != 0:
		m.resize(n, 0)
	}
	return n, nil
}

// Mkdir makes one folder.
func (m *Mem) Mkdir(name string, perm fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, n, err := m.find(name)
	if err == nil && n != nil {
		err = syscall.EEXIST
	}
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: err}
	}
	dir.set(entry{base, m.newNode(fs.ModeDir | perm&fs.ModePerm)})
	return nil
}

// Remove unlinks a file or an empty folder.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, n, err := m.find(name)
	switch {
	case err != nil:
	case n == nil:
		err = syscall.ENOENT
	case n == m.root:
		err = syscall.EBUSY
	case len(n.names) > 0:
		err = syscall.ENOTEMPTY
	}
	if err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	dir.set(entry{base, nil})
	m.release(n)
	return nil
}

// ReadDir lists a folder.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.folder(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	list := make([]fs.DirEntry, 0, len(n.names))
	for _, base := range slices.Sorted(maps.Keys(n.names)) {
		list = append(list, fs.FileInfoToDirEntry(n.names[base].info(base)))
	}
	return list, nil
}

// Lstat describes name; Sys of the result is its [ID].
func (m *Mem) Lstat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, base, n, err := m.find(name)
	if err == nil && n == nil {
		err = syscall.ENOENT
	}
	if err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	return n.info(base), nil
}

// SyncDir makes the present entries of a folder durable.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.folder(name)
	if err != nil {
		return &fs.PathError{Op: "sync", Path: name, Err: err}
	}
	n.syncNames()
	return nil
}

// failSyncDir is what Faults does to a folder whose SyncDir it lets fail.
func (m *Mem) failSyncDir(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n, err := m.folder(name); err == nil {
		n.changes = nil
	}
}

// Free returns what SetSize leaves, or 1 TiB without a limit.
func (m *Mem) Free(name string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.folder(name); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	return m.free(), nil
}

func (m *Mem) free() int64 {
	if m.size < 0 {
		return 1 << 40
	}
	return max(0, m.size-m.used)
}

// split cuts a name into its parts; the root has none.
func split(name string) []string {
	name = filepath.ToSlash(name[len(filepath.VolumeName(name)):])
	clean := path.Clean("/" + name)[1:]
	if clean == "" {
		return nil
	}
	return strings.Split(clean, "/")
}
