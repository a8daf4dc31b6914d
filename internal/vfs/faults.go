package vfs

import (
	"errors"
	"io/fs"
	"sync"
)

// ErrCrashed is the cause of every error after a crash that [Faults] plays.
var ErrCrashed = errors.New("vfs: crashed by a fault")

// Faults passes calls on to another file system, counts them, and makes those fail that a
// hook picks. Files that it opened pass through it too, and still do after a crash: only
// Close reaches the file below then, so that nothing leaks.
type Faults struct {
	inner FS

	mu      sync.Mutex // guards the rest
	hook    Hook
	calls   int
	steps   int
	crashed *Op
}

// NewFaults returns a file system over inner; hook may be nil.
func NewFaults(inner FS, hook Hook) *Faults { return &Faults{inner: inner, hook: hook} }

// SetHook replaces the hook for calls that begin from now on; nil lets them all pass.
func (f *Faults) SetHook(hook Hook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Calls returns the number of the last call.
func (f *Faults) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Steps returns the number of the last step.
func (f *Faults) Steps() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.steps
}

// Crashed returns the call that crashed, if one has. Calls that had begun by then may
// end after it: take a clone once the code under test has come to rest.
func (f *Faults) Crashed() (Op, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed == nil {
		return Op{}, false
	}
	return *f.crashed, true
}

// begin counts a call and asks the hook about it.
func (f *Faults) begin(op Op) (Op, Fault) {
	f.mu.Lock()
	if f.crashed != nil {
		f.mu.Unlock()
		return op, Fault{Err: ErrCrashed}
	}
	f.calls++
	op.Call = f.calls
	if op.changes() {
		f.steps++
		op.Step = f.steps
	}
	hook := f.hook
	f.mu.Unlock()
	if hook == nil {
		return op, Fault{}
	}
	fault := hook(op)
	if fault.Crash {
		fault.Err, fault.Lie = ErrCrashed, false
		f.crash(op)
	}
	return op, fault
}

func (f *Faults) crash(op Op) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed == nil {
		f.crashed = &op
	}
}

// call plays a call that returns only an error.
func (f *Faults) call(op Op, pass func() error) error {
	op, fault := f.begin(op)
	switch {
	case fault.Err != nil:
		return op.fail(fault.Err)
	case fault.Lie:
		return nil
	}
	return pass()
}

// OpenFile opens a file whose calls are counted too.
func (f *Faults) OpenFile(name string, flag int, perm fs.FileMode) (file File, err error) {
	err = f.call(Op{Kind: OpOpen, Path: name, Flag: flag, Off: -1}, func() error {
		inner, err := f.inner.OpenFile(name, flag, perm)
		if err == nil {
			file = &faultFile{f, inner}
		}
		return err
	})
	return file, err
}

// Mkdir makes one folder.
func (f *Faults) Mkdir(name string, perm fs.FileMode) error {
	return f.call(Op{Kind: OpMkdir, Path: name, Off: -1}, func() error {
		return f.inner.Mkdir(name, perm)
	})
}

// Rename moves a file.
func (f *Faults) Rename(oldname, newname string) error {
	return f.call(Op{Kind: OpRename, Path: oldname, To: newname, Off: -1}, func() error {
		return f.inner.Rename(oldname, newname)
	})
}

// RenameNew moves a file to a free name; it counts as OpRename.
func (f *Faults) RenameNew(oldname, newname string) error {
	return f.call(Op{Kind: OpRename, Path: oldname, To: newname, Off: -1}, func() error {
		return f.inner.RenameNew(oldname, newname)
	})
}

// Remove unlinks a file or an empty folder.
func (f *Faults) Remove(name string) error {
	return f.call(Op{Kind: OpRemove, Path: name, Off: -1}, func() error {
		return f.inner.Remove(name)
	})
}

// ReadDir lists a folder.
func (f *Faults) ReadDir(name string) (list []fs.DirEntry, err error) {
	err = f.call(Op{Kind: OpReadDir, Path: name, Off: -1}, func() error {
		list, err = f.inner.ReadDir(name)
		return err
	})
	return list, err
}

// Lstat describes name.
func (f *Faults) Lstat(name string) (fi fs.FileInfo, err error) {
	err = f.call(Op{Kind: OpLstat, Path: name, Off: -1}, func() error {
		fi, err = f.inner.Lstat(name)
		return err
	})
	return fi, err
}

// SyncDir makes a folder's entries durable.
func (f *Faults) SyncDir(name string) error {
	op, fault := f.begin(Op{Kind: OpSyncDir, Path: name, Off: -1})
	switch {
	case fault.Err != nil && fault.Unopened:
		op.Kind = OpOpen
		return op.fail(fault.Err)
	case fault.Err != nil:
		if m, ok := f.inner.(*Mem); ok && fault.Err != ErrCrashed {
			m.failSyncDir(name)
		}
		return op.fail(fault.Err)
	case fault.Lie:
		return nil
	}
	return f.inner.SyncDir(name)
}

// Free asks the file system below.
func (f *Faults) Free(name string) (n int64, err error) {
	err = f.call(Op{Kind: OpFree, Path: name, Off: -1}, func() error {
		n, err = f.inner.Free(name)
		return err
	})
	return n, err
}
