package place

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/larderbuild/larder/internal/vfs"
)

// Take moves src to dst, with mode 0600 and not yet synced, and then hashes it as [Placer.Import]
// does. Both are names of fsys; dst must not exist. Between volumes it imports src and removes it.
// A src that is a symbolic link, or anything else but a regular file, is [ErrNotRegular]; one with
// more than one link is [ErrShared]. On an error dst is absent and src is back where it was.
// Whoever has src open for writing still can write: take only what has been closed.
func (p *Placer) Take(ctx context.Context, fsys vfs.FS, dst, src string, hash io.Writer) (Taken, error) {
	t, err := p.take(ctx, fsys, dst, src, hash)
	if err != nil {
		return Taken{}, fmt.Errorf("place: take %s: %w", src, err)
	}
	return t, nil
}

func (p *Placer) take(ctx context.Context, fsys vfs.FS, dst, src string, hash io.Writer) (Taken, error) {
	fi, err := fsys.Lstat(src)
	if err != nil {
		return Taken{}, err
	}
	if err := sole(fi, vfs.IDOf(fi).Links); err != nil {
		return Taken{}, err
	}
	err = fsys.Rename(src, dst)
	if otherVolume(err) {
		return p.takeAcross(ctx, fsys, dst, src, hash)
	}
	if err != nil {
		return Taken{}, err
	}
	t, err := p.adopt(ctx, fsys, dst, hash)
	if err != nil {
		return Taken{}, errors.Join(err, giveBack(fsys, dst, src))
	}
	return t, nil
}

// sole refuses what is not one regular file of its own. Links 0 means unknown.
func sole(fi fs.FileInfo, links uint64) error {
	switch {
	case !fi.Mode().IsRegular():
		return ErrNotRegular
	case links > 1:
		return ErrShared
	}
	return nil
}

// adopt checks and hashes what was renamed to dst. Only now, where nobody looks for it, does what
// it is hold still; a link made just before the rename shows as well.
func (p *Placer) adopt(ctx context.Context, fsys vfs.FS, dst string, hash io.Writer) (Taken, error) {
	fi, err := fsys.Lstat(dst)
	if err != nil {
		return Taken{}, err
	}
	if err := sole(fi, 0); err != nil {
		return Taken{}, err
	}
	f, err := fsys.OpenFile(dst, os.O_RDONLY, 0)
	if err != nil {
		return Taken{}, err
	}
	t := Taken{Mode: fi.Mode().Perm(), How: Renamed}
	t.Size, err = hashSole(ctx, f, hash)
	return t, errors.Join(err, f.Close())
}

func hashSole(ctx context.Context, f vfs.File, hash io.Writer) (int64, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	links, err := linkCount(f, fi)
	if err != nil {
		return 0, err
	}
	if err := sole(fi, links); err != nil {
		return 0, err
	}
	n := fi.Size()
	if hash != nil {
		n, err = transfer(ctx, hash, f)
		if err != nil {
			return 0, err
		}
	}
	return n, makePrivate(f)
}

// giveBack undoes the rename, unless something new is called src by now: that is newer than what
// was to be taken.
func giveBack(fsys vfs.FS, dst, src string) error {
	if _, err := fsys.Lstat(src); err == nil {
		return fsys.Remove(dst)
	}
	return fsys.Rename(dst, src)
}

// takeAcross leaves src alone until dst is whole.
func (p *Placer) takeAcross(ctx context.Context, fsys vfs.FS, dst, src string, hash io.Writer) (Taken, error) {
	t, err := p.importFile(ctx, fsys, dst, src, hash)
	if err != nil {
		return Taken{}, err
	}
	if err := fsys.Remove(src); err != nil {
		return Taken{}, errors.Join(err, fsys.Remove(dst))
	}
	return t, nil
}
