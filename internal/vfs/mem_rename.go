package vfs

import (
	"os"
	"slices"
	"syscall"
)

// Rename moves a file over newname, or a folder to a free name or over an empty one. Within one folder a power
// loss keeps both halves of it or none; between two folders it may keep either alone.
func (m *Mem) Rename(oldname, newname string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.rename(oldname, newname); err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
	return nil
}

func (m *Mem) rename(oldname, newname string) error {
	from, oldbase, n, err := m.find(oldname)
	if err != nil {
		return err
	}
	to, newbase, target, err := m.find(newname)
	if err == nil && n == nil {
		err = syscall.ENOENT
	}
	if err != nil {
		return err
	}
	if err := renamable(oldname, newname, n, target); err != nil {
		return err
	}
	if n == target {
		return nil // two names of one file: POSIX leaves both alone
	}
	gone, come := entry{oldbase, nil}, entry{newbase, n}
	if from == to {
		from.set(come, gone)
	} else {
		to.set(come)
		from.set(gone)
	}
	if target != nil {
		m.release(target)
	}
	return nil
}

func renamable(oldname, newname string, n, target *node) error {
	oldparts, newparts := split(oldname), split(newname)
	switch {
	case n.isDir() && below(newparts, oldparts):
		return syscall.EINVAL
	case below(oldparts, newparts):
		return syscall.ENOTEMPTY
	case target == nil || target == n:
	case target.isDir() && !n.isDir():
		return syscall.EISDIR
	case n.isDir() && !target.isDir():
		return syscall.ENOTDIR
	case len(target.names) > 0:
		return syscall.ENOTEMPTY
	}
	return nil
}

func below(parts, folder []string) bool {
	return len(parts) > len(folder) && slices.Equal(parts[:len(folder)], folder)
}
