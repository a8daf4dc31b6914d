package vfs

import (
	"os"
	"slices"
	"syscall"
)

// Rename moves a file over newname, or a folder to a free name. Within one folder a power
// loss keeps both halves of it or none; between two folders it may keep either alone.
func (m *Mem) Rename(oldname, newname string) error {
	return m.renameTo(oldname, newname, false)
}

// RenameNew moves a file to a free name, with what a power loss does to [Mem.Rename].
func (m *Mem) RenameNew(oldname, newname string) error {
	return m.renameTo(oldname, newname, true)
}

func (m *Mem) renameTo(oldname, newname string, free bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.rename(oldname, newname, free); err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
	return nil
}

func (m *Mem) rename(oldname, newname string, free bool) error {
	from, oldbase, n, err := m.find(oldname)
	if err != nil {
		return err
	}
	to, newbase, target, err := m.find(newname)
	if err == nil && n == nil {
		err = syscall.ENOENT
	}
	if err == nil && free && target != nil {
		err = syscall.EEXIST
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
	case target != nil && target.isDir():
		return syscall.EEXIST // what package os makes of it, even for an empty one
	case n.isDir() && len(newparts) > len(oldparts) &&
		slices.Equal(oldparts, newparts[:len(oldparts)]):
		return syscall.EINVAL // into itself
	case target != nil && n.isDir():
		return syscall.ENOTDIR
	}
	return nil
}
