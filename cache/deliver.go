package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/larderbuild/larder/cache/internal/place"
)

// DeliverMode says how outputs reach their destination.
type DeliverMode uint8

const (
	// Auto clones where the file systems can, and else copies.
	Auto DeliverMode = iota
	// Clone fails where the file systems cannot, with an [errors.ErrUnsupported]. Inline outputs
	// are copied nevertheless.
	Clone
	// Link makes hard links: only for destinations that nobody changes, since the store shares the
	// file. An output whose mode is not that of the stored file (0444, no execute bit) is cloned or
	// copied, and so is one that cannot be linked: to have links, store with that mode.
	Link
	// Copy always copies.
	Copy
)

// Times says which modification time delivered files get.
type Times uint8

const (
	// TimeNow is the time of delivery.
	TimeNow Times = iota
	// TimeStored is the time at which the artifact was put.
	TimeStored
)

// How says what was done for one output.
type How uint8

const (
	// Copied output: an independent copy.
	Copied How = iota
	// Cloned output: shares blocks until one side is written.
	Cloned
	// Linked output: the store's own file under another name.
	Linked
	// Symlinked output: a symbolic link.
	Symlinked
)

// String names the way.
func (h How) String() string {
	names := [...]string{"copied", "cloned", "linked", "symlinked"}
	if int(h) < len(names) {
		return names[h]
	}
	return fmt.Sprintf("How(%d)", h)
}

// DeliverOptions configures [Artifact.Deliver]. The zero value of each field is its default.
type DeliverOptions struct {
	// Mode is Auto by default.
	Mode DeliverMode
	// Times is TimeNow by default. Link sets neither time nor mode.
	Times Times
	// Rename gives the name below the destination for an output, and false for one that is not
	// wanted. Nil delivers everything under its stored name. A name that a draft would refuse,
	// alone or beside the others, is a [*NameError].
	Rename func(name string) (string, bool)
}

// Delivered says where an output went and how.
type Delivered struct {
	Name string // as stored
	To   string // below the destination
	How  How
}

// Deliver puts the outputs below root, all or nothing: everything is staged there under temporary
// names and verified before the first file gets its name. When a name cannot be given, those given
// before are removed again; older files that they had replaced are gone. A file or symbolic link
// that stood there is replaced, a folder is not. Folders are made as needed. Nothing can leave
// root, not even through symbolic links. Files get exactly the mode that was stored, new folders
// 0755 less the umask. Nothing is forced to disk.
//
// A process that dies in here may leave files whose names begin with ".larder-".
//
// Cancelling ctx stops between and inside files. Wrong bytes are [ErrCorrupt] and a miss; any other
// error is the destination's, or names a symbolic link that would lead outside.
func (a *Artifact) Deliver(
	ctx context.Context, root *os.Root, o *DeliverOptions,
) ([]Delivered, error) {
	if o == nil {
		o = &DeliverOptions{}
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	items, err := a.use()
	if err != nil {
		return nil, err
	}
	defer a.s.end()
	d := a.s.placer.Deliver(root, place.Mode(o.Mode))
	defer d.Discard()
	list, err := a.stageAll(ctx, d, items, o)
	if err != nil {
		return nil, err
	}
	if err := d.Commit(); err != nil {
		return nil, a.s.wrap("deliver", err)
	}
	return list, nil
}

func (a *Artifact) stageAll(
	ctx context.Context, d *place.Delivery, items []item, o *DeliverOptions,
) ([]Delivered, error) {
	list := make([]Delivered, 0, len(items))
	var taken nameSet
	for i := range items {
		it := &items[i]
		to, want, err := it.destination(o, &taken)
		if err != nil {
			return nil, a.s.wrap("deliver "+it.name, err)
		}
		if !want {
			continue
		}
		how, err := a.stage(ctx, d, it, to, o)
		if err != nil {
			return nil, a.s.wrap("deliver "+it.name, err)
		}
		list = append(list, Delivered{Name: it.name, To: to, How: how})
	}
	return list, nil
}

func (o *DeliverOptions) check() error {
	if o.Mode > Copy {
		return fmt.Errorf("cache: deliver: DeliverOptions.Mode is %d, which is no DeliverMode", o.Mode)
	}
	if o.Times > TimeStored {
		return fmt.Errorf("cache: deliver: DeliverOptions.Times is %d, which is no Times", o.Times)
	}
	return nil
}

// destination says where an output goes, and whether it is wanted at all. Names that Rename gives
// must fit together as those of a draft do: two outputs of one name would be one file.
func (it *item) destination(o *DeliverOptions, taken *nameSet) (to string, want bool, err error) {
	switch {
	case !it.isOutput():
		return "", false, nil
	case o.Rename == nil:
		return it.name, true, checkName(it.name)
	}
	if to, want = o.Rename(it.name); !want {
		return "", false, nil
	}
	if err = checkName(to); err == nil {
		err = taken.add(to)
	}
	return to, true, err
}

func (a *Artifact) stage(
	ctx context.Context, d *place.Delivery, it *item, to string, o *DeliverOptions,
) (How, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if it.kind == itemSymlink {
		return Symlinked, d.Symlink(to, it.target)
	}
	out := place.Output{Name: to, Mode: it.mode, Size: it.size, Sum: it.xxh}
	if o.Times == TimeStored {
		out.ModTime = time.Unix(0, a.rec.created)
	}
	if it.inline() {
		b, err := a.verifiedBytes(it)
		if err != nil {
			return 0, err
		}
		return Copied, d.Bytes(b, out)
	}
	return a.stageFile(ctx, d, it, out)
}

func (a *Artifact) stageFile(
	ctx context.Context, d *place.Delivery, it *item, out place.Output,
) (How, error) {
	f, err := a.openPayload(it)
	if err != nil {
		return 0, err
	}
	how, err := d.File(ctx, f, out)
	f.Close() // before damaged: an open file cannot be removed on Windows
	_, unreadable := errors.AsType[*place.SourceError](err)
	switch {
	case errors.Is(err, place.ErrMismatch) || unreadable:
		return 0, a.damaged(it, "its payload file: "+err.Error())
	case err != nil:
		return 0, err
	case how == place.Cloned:
		return Cloned, nil
	case how == place.Linked:
		a.s.markLinked(&it.digest)
		return Linked, nil
	}
	return Copied, nil
}

// markLinked notes that the file is shared with a destination, so that it is hashed at its next
// hand-out.
func (s *Store) markLinked(d *Digest) {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if p, ok, err := s.payload(d); err == nil && ok && !p.linked {
		p.linked = true
		s.setPayload(d, &p)
		if s.lastCheckpoint.clean { // the log does not tell of this: a killed process must not look like a closed one
			s.writeIndex(false)
		}
	}
}
