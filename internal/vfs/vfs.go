// Package vfs is the seam between larder's packages and the file system.
//
// Everything that larder writes and must survive a crash goes through an [FS]:
// the payload files and the recovery log of the store. [OS] is the real file system;
// [Mem] keeps a tree in memory that can be cloned as a crash would leave it, so that
// a test can see a missing fsync; [Faults] counts the calls to either and makes
// chosen ones fail.
//
// Names are slash-separated or native, as the host gave them; [OS] does not clean them.
//
// # Concurrency
//
// All methods of all types are safe for concurrent use, except that two sequential
// reads or writes of one [File] share its position.
//
// # Errors
//
// Errors are what package os returns: a [*fs.PathError], or [*os.LinkError] for Rename,
// around the cause. [IsNoSpace] and [IsReadOnly] ask about causes that each system
// names differently.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
)

// FS is the set of file operations that larder relies on. Each method fails with
// a [*fs.PathError] (or [*os.LinkError] for Rename) that wraps the cause, as package os does.
type FS interface {
	// OpenFile opens name as [os.OpenFile] does.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Mkdir makes one folder; an existing one is fs.ErrExist.
	Mkdir(name string, perm fs.FileMode) error
	// Rename moves a file over newname, a read-only one too, atomically against a crash
	// of the process. It survives a power loss only after SyncDir of both folders.
	Rename(oldname, newname string) error
	// RenameNew is Rename to a free name: one that is taken is fs.ErrExist. Where the system cannot do both in one step it fails.
	RenameNew(oldname, newname string) error
	// Remove unlinks a file, a read-only one too, or an empty folder.
	Remove(name string) error
	// ReadDir lists a folder, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Lstat describes name without following a symbolic link.
	Lstat(name string) (fs.FileInfo, error)
	// SyncDir makes the entries of a folder durable. A file's own bytes need File.Sync.
	SyncDir(name string) error
	// Free returns how many bytes an unprivileged writer may still write to the
	// file system that holds the folder name.
	Free(name string) (int64, error)
}

// MakeDir makes one folder unless it is there, and reports whether it has.
func MakeDir(fsys FS, name string) (made bool, err error) {
	err = fsys.Mkdir(name, 0o777)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// NoAtime among the flags of [FS].OpenFile leaves a file's access time as it is, where the system
// can and lets this user. Elsewhere than on Linux it is 0. The first read after a write dirties the
// inode otherwise, which took ext4 (relatime) a quarter of the time of reading 64 KiB.
const NoAtime = noAtime

// File is an open file. Reads and writes at an offset are safe for concurrent use.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Closer
	Name() string
	Stat() (fs.FileInfo, error)
	// ReadDir lists the next n entries of a folder, fewer at its end, in any order, and io.EOF behind it. What is
	// made or removed meanwhile may be listed or not.
	ReadDir(n int) ([]fs.DirEntry, error)
	// Sync makes the file's bytes durable. After it failed the unsynced bytes may be
	// gone although a read still shows them: write them again elsewhere, do not retry.
	Sync() error
	Truncate(size int64) error
	Chmod(mode fs.FileMode) error
}

// ID tells files apart and shows whether one was replaced behind our back.
// Fields a platform cannot give cheaply are zero; on Windows both are.
type ID struct {
	Inode uint64
	Links uint64
}

// IDOf reads the identity that Lstat or Stat returned with fi.
func IDOf(fi fs.FileInfo) ID {
	if id, ok := fi.Sys().(ID); ok { // Mem
		return id
	}
	return sysID(fi)
}

// IsNoSpace reports whether err says that the disk, or the writer's quota, is full.
func IsNoSpace(err error) bool {
	errno, ok := errors.AsType[syscall.Errno](err)
	return ok && noSpace(errno)
}

// IsLost reports whether err says that a file is missing, or on a device that cannot read it.
func IsLost(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EIO)
}

// IsUnopened reports whether err is of a file, or of SyncDir's folder, that could not be opened and is not lost. It says
// nothing of what is in it, and a sync that ended so has not begun.
func IsUnopened(err error) bool {
	p, ok := errors.AsType[*fs.PathError](err)
	return ok && p.Op == "open" && !IsLost(err)
}

// IsReadOnly reports whether err says that the file system is mounted read-only.
// A file or folder without permission to write is [fs.ErrPermission] instead.
func IsReadOnly(err error) bool {
	errno, ok := errors.AsType[syscall.Errno](err)
	return ok && readOnly(errno)
}
