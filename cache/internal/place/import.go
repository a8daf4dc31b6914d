package place

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/larderbuild/larder/internal/vfs"
)

// Taken describes a file that came in.
type Taken struct {
	Size int64
	Mode fs.FileMode // the source's permission bits
	How  How         // Cloned, Copied or Renamed
}

// Import makes dst a private clone or copy of src, with mode 0600 and not yet synced. Both are
// names of fsys; src may be a symbolic link to a regular file, dst must not exist. Every byte of
// dst goes to hash in order, unless hash is nil. Only the operating system's own file system
// ([vfs.OS]) can clone. Cancelling ctx ends it early. On an error dst is absent; [ErrNotRegular]
// and [ErrChanged] are about src.
func (p *Placer) Import(ctx context.Context, fsys vfs.FS, dst, src string, hash io.Writer) (Taken, error) {
	t, err := p.importFile(ctx, fsys, dst, src, hash)
	if err != nil {
		return Taken{}, fmt.Errorf("place: import %s: %w", src, err)
	}
	return t, nil
}

func (p *Placer) importFile(ctx context.Context, fsys vfs.FS, dst, src string, hash io.Writer) (Taken, error) {
	if hash == nil {
		hash = io.Discard
	}
	in, fi, err := openRegular(fsys, src)
	if err != nil {
		return Taken{}, err
	}
	defer in.Close()
	t := Taken{Mode: fi.Mode().Perm(), How: Cloned}
	t.Size, err = p.importClone(ctx, fsys, dst, in, hash)
	if refused(err) {
		t.How = Copied
		t.Size, err = importCopy(ctx, fsys, dst, in, fi, hash)
	}
	return t, err
}

// openRegular opens src and makes sure of what it is after it is open; a pipe does not make it
// wait.
func openRegular(fsys vfs.FS, src string) (vfs.File, fs.FileInfo, error) {
	flag := os.O_RDONLY
	if _, real := fsys.(vfs.OS); real {
		flag |= openNonblock
	}
	f, err := fsys.OpenFile(src, flag, 0)
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = ErrNotRegular
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, fi, nil
}

// importClone is a refusal where nothing can be cloned. The clone is hashed after it was made:
// nobody else can change it.
func (p *Placer) importClone(
	ctx context.Context, fsys vfs.FS, dst string, in vfs.File, hash io.Writer,
) (int64, error) {
	file, isFile := in.(*os.File)
	if _, real := fsys.(vfs.OS); !real || !isFile {
		return 0, &refusedError{op: cloning, cause: errNoFile}
	}
	root, err := os.OpenRoot(filepath.Dir(dst))
	if err != nil {
		return 0, err
	}
	defer root.Close()
	sys := p.kernel()
	into, err := sys.openFolder(root, ".")
	if err != nil {
		return 0, err
	}
	defer into.close()
	name := filepath.Base(dst)
	var clone *os.File
	err = p.try(cloning, pair{from: sys.volume(file), to: into.vol}, func() (err error) {
		clone, err = sys.clone(file, into, name)
		return err
	})
	if err != nil {
		return 0, err
	}
	n, err := transfer(ctx, hash, clone)
	if err == nil {
		err = clone.Chmod(0o600)
	}
	if err = errors.Join(err, clone.Close()); err != nil {
		return 0, errors.Join(err, removeIfThere(root, name))
	}
	return n, nil
}

// importCopy copies through fsys. Unlike a clone it does not see one moment of src, so src must
// hold still meanwhile. Of one that does not, a byte more than it had tells.
func importCopy(
	ctx context.Context, fsys vfs.FS, dst string, in vfs.File, before fs.FileInfo, hash io.Writer,
) (int64, error) {
	out, err := fsys.OpenFile(dst, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := transfer(ctx, io.MultiWriter(out, hash), io.NewSectionReader(in, 0, before.Size()+1))
	if err == nil {
		err = unchanged(in, before, n)
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return 0, errors.Join(err, fsys.Remove(dst))
	}
	return n, nil
}

func unchanged(f vfs.File, before fs.FileInfo, n int64) error {
	after, err := f.Stat()
	if err != nil {
		return err
	}
	if after.Size() != before.Size() || after.Size() != n ||
		!after.ModTime().Equal(before.ModTime()) {
		return ErrChanged
	}
	return nil
}
