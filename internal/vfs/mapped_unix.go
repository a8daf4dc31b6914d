//go:build (linux || darwin) && (amd64 || arm64)

package vfs

import (
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// mapRead is the longest read that a mapping answers. Of longer ones copying is most; they are often of what is read through
// once, which would count as resident from then on; and a fault that waits for the disk keeps a processor of Go's, which
// a call of the system does not.
const mapRead = 16 << 10

// A mapping must pay: its faults, one for each 64 KiB that are read first, and its end take 5 us for each of these, and a read by the
// system 0.45 us more than from memory. So a file is mapped when there was a short read for each mapPart of it, and
// mapAfter at least, as to make a mapping takes 8 us. A thousand gets from a store of 400,000 entries that was just opened take
// 4 ms, and 8 ms with a mapping from the start.
const (
	mapAfter = 16
	mapPart  = 16 << 10
)

// Mapped returns f with short reads at an offset, those that end below size, answered from memory: 256 B take 0.2 us where a
// call of the system takes 0.9. Where the file has no such page and where the disk does not give it, the system is asked
// after all, so errors are those of f; but a file that ends within a page seems to go on with zeros there. The file may grow
// into size: these systems let a mapping see what is written. The mapping is made once there were as many such reads as pay for
// it; Close, which must not run beside ReadAt, ends it. A file that is none of the system's is returned as it is, and one
// that cannot be mapped reads as it did.
func Mapped(f File, size int64) File {
	file, ok := f.(*os.File)
	if !ok {
		return f
	}
	return &mappedFile{File: file, size: size}
}

type mappedFile struct {
	*os.File
	size  int64
	reads atomic.Int64 // short ones, until pays
	pays  atomic.Bool
	once  sync.Once
	b     []byte // set by once; empty if that has failed
}

// count counts a read and sets pays once there were enough. It asks at each power of two.
func (m *mappedFile) count() {
	n := m.reads.Add(1)
	if n < mapAfter || n&(n-1) != 0 {
		return
	}
	if fi, err := m.Stat(); err == nil && n >= fi.Size()/mapPart {
		m.pays.Store(true)
	}
}

func (m *mappedFile) mapIn() {
	m.b, _ = syscall.Mmap(int(m.Fd()), 0, int(m.size), syscall.PROT_READ, syscall.MAP_SHARED)
}

func (m *mappedFile) ReadAt(p []byte, off int64) (int, error) {
	if len(p) > mapRead || off < 0 || off > m.size-int64(len(p)) {
		return m.File.ReadAt(p, off)
	}
	if !m.pays.Load() {
		m.count()
		return m.File.ReadAt(p, off)
	}
	m.once.Do(m.mapIn)
	if len(m.b) == 0 || !load(p, m.b[off:]) {
		return m.File.ReadAt(p, off)
	}
	return len(p), nil
}

// load copies from a mapping and reports whether that was there to be read: a fault is a panic here, and ends no process.
func load(p, mapping []byte) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if !ok {
			recover()
		}
	}()
	copy(p, mapping)
	return true
}

func (m *mappedFile) Close() error {
	var err error
	if len(m.b) > 0 {
		err = syscall.Munmap(m.b)
		m.b = nil
	}
	return errors.Join(err, m.File.Close())
}

// Forget gives back the memory that reads of a file from Mapped have made resident. Later reads go on as before.
func Forget(f File) {
	if m, ok := f.(*mappedFile); ok && m.pays.Load() {
		m.once.Do(m.mapIn)
		unix.Madvise(m.b, unix.MADV_DONTNEED) // an advice
	}
}
