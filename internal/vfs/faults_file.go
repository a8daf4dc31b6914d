package vfs

import "io/fs"

// faultFile is an open file below a Faults.
type faultFile struct {
	f     *Faults
	inner File
}

func (f *faultFile) Name() string { return f.inner.Name() }

func (f *faultFile) op(k Kind) Op { return Op{Kind: k, Path: f.inner.Name(), Off: -1} }

func (f *faultFile) transfer(k Kind, p []byte, off int64) (Op, Fault) {
	op := f.op(k)
	op.Off, op.Size = off, len(p)
	return f.f.begin(op)
}

func (f *faultFile) Read(p []byte) (int, error) {
	op, fault := f.transfer(OpRead, p, -1)
	if fault.Err != nil {
		return 0, op.fail(fault.Err)
	}
	return f.inner.Read(p)
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	op, fault := f.transfer(OpRead, p, off)
	if fault.Err != nil {
		return 0, op.fail(fault.Err)
	}
	return f.inner.ReadAt(p, off)
}

func (f *faultFile) Write(p []byte) (int, error) {
	op, fault := f.transfer(OpWrite, p, -1)
	return play(op, fault, p, f.inner.Write)
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	op, fault := f.transfer(OpWrite, p, off)
	return play(op, fault, p, func(p []byte) (int, error) { return f.inner.WriteAt(p, off) })
}

// play makes a write whole, in part or not at all.
func play(op Op, fault Fault, p []byte, write func([]byte) (int, error)) (int, error) {
	switch {
	case fault.Lie:
		return len(p), nil
	case fault.Err == nil:
		return write(p)
	}
	n := min(max(0, fault.Partial), len(p))
	if n > 0 {
		var err error
		if n, err = write(p[:n]); err != nil {
			return n, err
		}
	}
	return n, op.fail(fault.Err)
}

func (f *faultFile) Stat() (fi fs.FileInfo, err error) {
	err = f.f.call(f.op(OpStat), func() error {
		fi, err = f.inner.Stat()
		return err
	})
	return fi, err
}

func (f *faultFile) ReadDir(n int) (list []fs.DirEntry, err error) {
	op := f.op(OpReadDir)
	op.Size = n
	err = f.f.call(op, func() error {
		list, err = f.inner.ReadDir(n)
		return err
	})
	return list, err
}

func (f *faultFile) Sync() error {
	op, fault := f.f.begin(f.op(OpSync))
	switch {
	case fault.Err != nil:
		if m, ok := f.inner.(*memFile); ok && fault.Err != ErrCrashed {
			m.failSync()
		}
		return op.fail(fault.Err)
	case fault.Lie:
		return nil
	}
	return f.inner.Sync()
}

func (f *faultFile) Truncate(size int64) error {
	op := f.op(OpTruncate)
	op.Off = size
	return f.f.call(op, func() error { return f.inner.Truncate(size) })
}

func (f *faultFile) Chmod(mode fs.FileMode) error {
	return f.f.call(f.op(OpChmod), func() error { return f.inner.Chmod(mode) })
}

// Close closes the file below whatever the fault.
func (f *faultFile) Close() error {
	op, fault := f.f.begin(f.op(OpClose))
	err := f.inner.Close()
	if fault.Err != nil {
		return op.fail(fault.Err)
	}
	return err
}
