package vfs

import (
	"io/fs"
	"math"
	"os"
	"syscall"
)

// OS is the real file system. The zero value is ready for use.
type OS struct{}

// OpenFile calls [os.OpenFile]. On Windows an open file can be neither renamed nor
// removed, and nothing can be renamed over it; a file that somebody is just renaming or removing
// is asked for again, for an eighth of a second at most.
func (OS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := openFile(name, flag, perm)
	if err != nil {
		return nil, err // not a File that holds a nil *os.File
	}
	return f, nil
}

// Mkdir calls [os.Mkdir].
func (OS) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(name, perm) }

// Rename calls [os.Rename].
func (OS) Rename(oldname, newname string) error { return rename(oldname, newname) }

// RenameNew asks Linux and macOS. It looks for nothing before, which [os.Rename] does: 2.7 us where the name is new.
func (OS) RenameNew(oldname, newname string) error {
	for {
		err := renameNew(oldname, newname)
		switch err {
		case nil:
			return nil
		case syscall.EINTR:
		default:
			return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
		}
	}
}

// Remove calls [os.Remove].
func (OS) Remove(name string) error { return os.Remove(name) }

// ReadDir calls [os.ReadDir].
func (OS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// Lstat calls [os.Lstat].
func (OS) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }

// SyncDir flushes a folder's entries; systems without that ability do nothing.
func (OS) SyncDir(name string) error { return syncDir(name) }

// Free asks the file system that holds the folder name. Where the system cannot tell,
// it fails with [errors.ErrUnsupported].
func (OS) Free(name string) (int64, error) { return free(name) }

// product multiplies a block count by a block size, both as the system gave them, and stops
// at the largest int64: network file systems are known to claim more.
func product(blocks, size uint64) int64 {
	if size != 0 && blocks > math.MaxInt64/size {
		return math.MaxInt64
	}
	return int64(blocks * size)
}
