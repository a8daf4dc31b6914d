package place

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/larderbuild/larder/internal/vfs"
)

// job is one stored file on its way to a temporary name.
type job struct {
	*Placer
	sys  kernel
	src  vfs.File
	file *os.File // src when the kernel may clone or link it, else nil
	was  fs.FileInfo
	into *folder
	temp string
	on   pair
	Output
}

// place tries the ways that the mode allows, best first.
func (d *Delivery) place(ctx context.Context, src vfs.File, into *folder, temp string, o Output) (How, error) {
	fi, err := src.Stat()
	if err != nil {
		return 0, &SourceError{Err: err}
	}
	if fi.Size() != o.Size {
		return 0, sizeMismatch(fi.Size(), o.Size)
	}
	j := &job{
		Placer: d.placer, sys: d.placer.kernel(), src: src, was: fi, into: into, temp: temp, Output: o,
	}
	if file, ok := src.(*os.File); ok && d.mode != Copy {
		j.file = file
		j.on = pair{from: j.sys.volume(file), to: into.vol}
	}
	if d.mode == Link {
		if err := j.link(ctx); !refused(err) {
			return Linked, err
		}
	}
	if d.mode != Copy {
		if err := j.clone(ctx, d.mode == Clone); !refused(err) || d.mode == Clone {
			return Cloned, err
		}
	}
	return Copied, j.copy(ctx)
}

var (
	errNoFile   = errors.New("source is not a file of the operating system")
	errModes    = errors.New("stored file has other permissions")
	errMoved    = errors.New("stored file was replaced meanwhile")
	errBadClone = errors.New("clone differs from what was stored")
)

// try is [Placer.try] for a source that the kernel can be asked about.
func (j *job) try(op operation, do func() error) error {
	if j.file == nil {
		return &refusedError{op: op, cause: errNoFile}
	}
	return j.Placer.try(op, j.on, do)
}

// link verifies the source first: afterwards the bytes are shared with others who may be changing
// them.
func (j *job) link(ctx context.Context) error {
	if j.was.Mode().Perm() != j.Mode.Perm() {
		return &refusedError{op: linking, cause: errModes}
	}
	if err := j.check(linking, j.on); err != nil {
		return err // before the source is hashed in vain
	}
	if j.file != nil {
		if err := j.verify(ctx, j.src, io.Discard); err != nil {
			return err
		}
	}
	err := j.try(linking, func() error { return j.sys.link(j.file, j.into, j.temp) })
	if err != nil {
		return err
	}
	return j.confirmLink()
}

// confirmLink makes sure that the name which was linked still belonged to the file that was opened
// and hashed.
func (j *job) confirmLink() error {
	fi, err := j.into.root.Lstat(j.temp)
	if err != nil || os.SameFile(fi, j.was) {
		return err
	}
	if err := j.into.root.Remove(j.temp); err != nil {
		return err
	}
	return &refusedError{op: linking, cause: errMoved}
}

// clone verifies the clone, which nobody else can change. Unless it is the only way, a wrong clone
// does not convict the source: file systems have cloned wrongly (OpenZFS issue 15526), and copying
// reads the source itself.
func (j *job) clone(ctx context.Context, only bool) error {
	var dst *os.File
	err := j.try(cloning, func() (err error) {
		dst, err = j.sys.clone(j.file, j.into, j.temp)
		return err
	})
	if err != nil {
		return err
	}
	err = j.verify(ctx, dst, io.Discard)
	if errors.Is(err, ErrMismatch) && !only {
		if err := errors.Join(dst.Close(), j.into.root.Remove(j.temp)); err != nil {
			return err
		}
		return &refusedError{op: cloning, cause: errBadClone}
	}
	return finish(dst, err, j.into, j.temp, j.Output)
}

// copy moves the bytes. The hash is taken of what is written, in the same pass.
func (j *job) copy(ctx context.Context) error {
	dst, err := j.into.create(j.temp)
	if err != nil {
		return err
	}
	return finish(dst, j.verify(ctx, j.src, dst), j.into, j.temp, j.Output)
}

// verify reads f from its beginning, copies it to dst, and holds it against what was announced.
func (j *job) verify(ctx context.Context, f vfs.File, dst io.Writer) error {
	h := xxhash.New()
	n, err := transfer(ctx, io.MultiWriter(dst, h), f)
	if err != nil {
		return err
	}
	return j.compare(n, h.Sum64())
}

// compare holds the length and the xxhash64 of what went through against what was announced.
func (o *Output) compare(n int64, sum uint64) error {
	if n != o.Size {
		return sizeMismatch(n, o.Size)
	}
	if sum != o.Sum {
		return fmt.Errorf("%w: xxhash64 is %016x, expected %016x", ErrMismatch, sum, o.Sum)
	}
	return nil
}

func sizeMismatch(got, want int64) error {
	return fmt.Errorf("%w: %d bytes, expected %d", ErrMismatch, got, want)
}

// finish gives dst its mode and time if all went well so far, and closes it either way.
func finish(dst *os.File, err error, into *folder, temp string, o Output) error {
	if err != nil {
		return errors.Join(err, dst.Close())
	}
	return seal(dst, into, temp, o)
}

// setTime is by name: package os has no other way, and where writes are delayed, closing can still
// move the time.
func setTime(into *folder, temp string, o Output) error {
	if o.ModTime.IsZero() {
		return nil
	}
	return into.root.Chtimes(temp, time.Time{}, o.ModTime)
}

// placeBytes is place for content in memory.
func placeBytes(data []byte, into *folder, temp string, o Output) error {
	if err := o.compare(int64(len(data)), xxhash.Sum64(data)); err != nil {
		return err
	}
	dst, err := into.create(temp)
	if err != nil {
		return err
	}
	_, err = dst.Write(data)
	return finish(dst, err, into, temp, o)
}
