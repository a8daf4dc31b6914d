package vfs

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"
)

// maxMemFile keeps a wrong offset from taking all memory.
const maxMemFile = 1 << 34

var errNegativeOffset = errors.New("negative offset")

// memFile is one open file of a Mem; the Mem's lock guards it.
type memFile struct {
	m      *Mem
	n      *node
	name   string
	flag   int
	pos    int64  // of Read and Write
	listed string // last name of ReadDir
	closed bool
}

func (f *memFile) Name() string { return f.name }

// begin locks the tree for one call and checks that f is open; end unlocks it and names the call.
func (f *memFile) begin() error {
	f.m.mu.Lock()
	if f.closed {
		return fs.ErrClosed
	}
	return nil
}

func (f *memFile) end(op string, err *error) {
	f.m.mu.Unlock()
	if *err != nil && *err != io.EOF {
		*err = &fs.PathError{Op: op, Path: f.name, Err: *err}
	}
}

func (f *memFile) Read(p []byte) (n int, err error) {
	defer f.end("read", &err)
	if err := f.begin(); err != nil {
		return 0, err
	}
	n, err = f.readAt(p, f.pos)
	f.pos += int64(n)
	if n > 0 {
		err = nil // the end is for the next call
	}
	return n, err
}

func (f *memFile) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, &fs.PathError{Op: "readat", Path: f.name, Err: errNegativeOffset}
	}
	if len(p) == 0 {
		return 0, nil // even when closed: package os makes no system call
	}
	defer f.end("read", &err)
	if err := f.begin(); err != nil {
		return 0, err
	}
	return f.readAt(p, off)
}

func (f *memFile) readAt(p []byte, off int64) (int, error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case f.n.isDir():
		return 0, syscall.EISDIR
	case f.flag&os.O_WRONLY != 0:
		return 0, syscall.EBADF
	case off >= int64(len(f.n.data)):
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Write(p []byte) (n int, err error) {
	defer f.end("write", &err)
	if err := f.begin(); err != nil {
		return 0, err
	}
	n, err = f.writeAt(p, f.pos)
	f.pos += int64(n)
	return n, err
}

func (f *memFile) WriteAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, &fs.PathError{Op: "writeat", Path: f.name, Err: errNegativeOffset}
	}
	if len(p) == 0 {
		return 0, nil // even when closed: package os makes no system call
	}
	defer f.end("write", &err)
	if err := f.begin(); err != nil {
		return 0, err
	}
	return f.writeAt(p, off)
}

func (f *memFile) writeAt(p []byte, off int64) (int, error) {
	switch {
	case f.flag&(os.O_WRONLY|os.O_RDWR) == 0:
		return 0, syscall.EBADF
	case off > maxMemFile-int64(len(p)):
		return 0, syscall.EFBIG
	case len(p) == 0:
		return 0, nil
	}
	return f.m.write(f.n, p, off)
}

// write stores as much of p as the disk has room for.
func (m *Mem) write(n *node, p []byte, off int64) (int, error) {
	old := int64(len(n.data))
	over := max(0, off+int64(len(p))-old) - m.free()
	fit := max(0, len(p)-int(max(0, over)))
	if fit > 0 {
		n.write(p[:fit], int(off))
		n.meta.modTime = time.Now()
		m.used += int64(len(n.data)) - old
	}
	if fit < len(p) {
		return fit, syscall.ENOSPC
	}
	return fit, nil
}

func (m *Mem) resize(n *node, size int) {
	m.used += int64(size - len(n.data))
	n.resize(size)
	n.meta.modTime = time.Now()
}

func (f *memFile) Truncate(size int64) (err error) {
	defer f.end("truncate", &err)
	if err := f.begin(); err != nil {
		return err
	}
	switch {
	case size < 0 || f.flag&(os.O_WRONLY|os.O_RDWR) == 0:
		return syscall.EINVAL
	case size > maxMemFile:
		return syscall.EFBIG
	case size-int64(len(f.n.data)) > f.m.free():
		return syscall.ENOSPC
	}
	f.m.resize(f.n, int(size))
	return nil
}

func (f *memFile) Chmod(mode fs.FileMode) (err error) {
	defer f.end("chmod", &err)
	if err := f.begin(); err != nil {
		return err
	}
	f.n.meta.mode = f.n.meta.mode.Type() | mode.Perm()
	return nil
}

func (f *memFile) Stat() (fi fs.FileInfo, err error) {
	defer f.end("stat", &err)
	if err := f.begin(); err != nil {
		return nil, err
	}
	base := "/"
	if parts := split(f.name); len(parts) > 0 {
		base = parts[len(parts)-1]
	}
	return f.n.info(base), nil
}

func (f *memFile) ReadDir(n int) (list []fs.DirEntry, err error) {
	defer f.end("readdir", &err)
	if err := f.begin(); err != nil {
		return nil, err
	}
	if !f.n.isDir() {
		return nil, syscall.ENOTDIR
	}
	for _, base := range slices.Sorted(maps.Keys(f.n.names)) {
		if base > f.listed && len(list) < n {
			list = append(list, fs.FileInfoToDirEntry(f.n.names[base].info(base)))
		}
	}
	if len(list) == 0 {
		return nil, io.EOF
	}
	f.listed = list[len(list)-1].Name()
	return list, nil
}

func (f *memFile) Sync() (err error) {
	defer f.end("sync", &err)
	if err := f.begin(); err != nil {
		return err
	}
	if f.n.isDir() {
		f.n.syncNames()
		return nil
	}
	f.n.sync()
	f.n.kept = f.n.meta
	return nil
}

// failSync is what Faults does to a file whose Sync it lets fail.
func (f *memFile) failSync() {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.n.failSync()
	f.n.changes = nil
}

func (f *memFile) Close() (err error) {
	defer f.end("close", &err)
	if err := f.begin(); err != nil {
		return err
	}
	f.closed = true
	f.n.opens--
	f.m.release(f.n)
	return nil
}
