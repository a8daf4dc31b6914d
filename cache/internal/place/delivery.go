package place

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"github.com/larderbuild/larder/internal/vfs"
)

// TempPrefix begins the name of every staged file. A process killed between staging and
// [Delivery.Commit] leaves such files.
const TempPrefix = ".larder-"

// Output describes one file of a [Delivery].
type Output struct {
	// Name is a clean, relative slash path below the destination. Missing folders are made with
	// mode 0755.
	Name string
	// Mode holds the permission bits, which are set exactly: the umask does not apply. A link is
	// only made where the stored file already has this mode.
	Mode fs.FileMode
	// ModTime zero means now. A link keeps the stored file's time.
	ModTime time.Time
	// Size and Sum, which is the xxhash64, are what the content must have.
	Size int64
	Sum  uint64
}

// Delivery places the files of one artifact into one destination, all or none. It is not safe for
// concurrent use. It ends with [Delivery.Commit] or [Delivery.Discard]; until then it holds an
// open folder. After an error from [Delivery.File], [Delivery.Bytes] or [Delivery.Symlink] only
// that output is missing.
type Delivery struct {
	placer *Placer
	root   *os.Root
	mode   Mode
	token  string // makes the temporary names unpredictable
	into   *folder
	staged []staged
	shown  int      // how many of staged have their final name
	made   []string // folders, outermost first
	ended  bool
}

// staged is a file under its temporary name, in the folder of its final name.
type staged struct {
	name, temp string
	linked     bool
}

// Deliver begins a delivery below root, which stays the caller's and must be open until the
// delivery has ended.
func (p *Placer) Deliver(root *os.Root, m Mode) *Delivery {
	return &Delivery{placer: p, root: root, mode: m, token: rand.Text()}
}

// File stages the stored file src and says how. A src that is an [*os.File] opened by an absolute
// path can be cloned or linked, anything else is copied. src stays the caller's, and its offset is
// neither used nor moved. Errors: [ErrMismatch], [*SourceError], the context's, or the
// destination's; with mode Clone also [errors.ErrUnsupported].
func (d *Delivery) File(ctx context.Context, src vfs.File, o Output) (How, error) {
	how := Copied
	err := d.stage(o.Name, func(into *folder, temp string) (s staged, err error) {
		how, err = d.place(ctx, src, into, temp, o)
		return staged{linked: how == Linked}, err
	})
	if err != nil {
		return 0, err
	}
	return how, nil
}

// Bytes stages content from memory, as [Delivery.File] does with a file. Data is not kept.
func (d *Delivery) Bytes(data []byte, o Output) error {
	return d.stage(o.Name, func(into *folder, temp string) (staged, error) {
		return staged{}, placeBytes(data, into, temp, o)
	})
}

// maxTries is how often an output is staged whose folder is not there.
const maxTries = 10

// stage runs put for the folder and temporary name that belong to name, and cleans up after it
// when it fails. It runs it again where another delivery takes back the folder that it has made,
// between this one's look at it and the first file there.
func (d *Delivery) stage(name string, put func(into *folder, temp string) (staged, error)) error {
	if d.ended {
		return fmt.Errorf("place %s: %w", name, fs.ErrClosed)
	}
	temp := TempPrefix + d.token + "-" + strconv.Itoa(len(d.staged))
	s, err := d.stageOnce(name, temp, put)
	for tries := 1; errors.Is(err, fs.ErrNotExist) && tries < maxTries; tries++ {
		s, err = d.stageOnce(name, temp, put)
	}
	if err != nil {
		return fmt.Errorf("place %s: %w", name, err)
	}
	s.name, s.temp = name, temp
	d.staged = append(d.staged, s)
	return nil
}

func (d *Delivery) stageOnce(
	name, temp string, put func(into *folder, temp string) (staged, error),
) (staged, error) {
	dir, base := path.Split(name)
	into, err := d.folder(path.Clean(dir), true)
	if err == nil {
		err = into.refuse(base)
	}
	if err != nil {
		return staged{}, err
	}
	s, err := put(into, temp)
	if err != nil {
		return staged{}, errors.Join(err, removeIfThere(into.root, temp), d.leaveFolder())
	}
	return s, nil
}

// folder opens dir, or hands out the last one again: outputs mostly come folder by folder.
func (d *Delivery) folder(dir string, create bool) (*folder, error) {
	if d.into != nil && d.into.dir == dir {
		return d.into, nil
	}
	err := d.leaveFolder()
	if err != nil {
		return nil, err
	}
	sys := d.placer.kernel()
	into, err := sys.openFolder(d.root, dir)
	if create && errors.Is(err, fs.ErrNotExist) {
		var made []string
		made, err = makeFolders(d.root, dir)
		d.made = append(d.made, made...)
		if err == nil {
			into, err = sys.openFolder(d.root, dir)
		}
	}
	if err != nil {
		return nil, err
	}
	d.into = into
	return into, nil
}

func (d *Delivery) leaveFolder() error {
	if d.into == nil {
		return nil
	}
	into := d.into
	d.into = nil
	return into.close()
}

// Commit renames every staged file into place, in the order of staging, replacing files and
// symbolic links but not folders. It ends the delivery and is not interruptible. When one rename
// fails, everything that this delivery had made, visible or not, is removed again; older files
// that were replaced by then are gone.
func (d *Delivery) Commit() error {
	if d.ended {
		return fmt.Errorf("place: commit: %w", fs.ErrClosed)
	}
	for _, s := range d.staged {
		if err := d.reveal(s); err != nil {
			return fmt.Errorf("place %s: %w", s.name, errors.Join(err, d.undo()))
		}
	}
	d.ended = true
	return d.leaveFolder()
}

// reveal gives one staged file its name.
func (d *Delivery) reveal(s staged) error {
	dir, base := path.Split(s.name)
	into, err := d.folder(path.Clean(dir), false)
	if err != nil {
		return err
	}
	if err := replace(into.root, s.temp, base); err != nil {
		return err
	}
	d.shown++
	if s.linked {
		// A rename between two links of one file does nothing and succeeds (POSIX, rename).
		return removeIfThere(into.root, s.temp)
	}
	return nil
}

// Discard removes what was staged and the folders made for it. It is a no-op after
// [Delivery.Commit] or another Discard.
func (d *Delivery) Discard() error {
	if d.ended {
		return nil
	}
	return d.undo()
}

// undo ends the delivery and removes everything it made.
func (d *Delivery) undo() error {
	d.ended = true
	errs := []error{d.leaveFolder()}
	for i, s := range d.staged {
		name := filepath.Join(filepath.FromSlash(path.Dir(s.name)), s.temp)
		if i < d.shown {
			name = filepath.FromSlash(s.name)
		}
		errs = append(errs, removeIfThere(d.root, name))
	}
	errs = append(errs, removeFolders(d.root, d.made))
	return errors.Join(errs...)
}

func removeIfThere(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
