package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/larderbuild/larder/cache/internal/place"
	"github.com/larderbuild/larder/internal/vfs"
)

// Draft is one artifact being made: outputs are added, then [Store.Put] stores them under a key, or
// [Store.Do] does so after its build. Nothing of it is visible before. It is not safe for
// concurrent use.
//
// Names of outputs are relative and slash-separated, of any depth, and must fit every supported
// system: absolute names, "..", NUL, drive letters, names that Windows reserves, and names that
// differ only in case are refused with a [*NameError]. After an error from one of the Add verbs the
// draft cannot be put.
//
// A draft may hold 1,000,000 outputs at most, and none at all.
type Draft struct {
	s        *Store
	items    []item
	facts    []fact // of payload files, pinned, one for each digest
	have     map[Digest]struct{}
	area     []byte
	names    nameSet
	exitCode int64
	cost     time.Duration
	noInline bool
	failed   error
	done     bool
}

// maxOutputs keeps a frame, which names every payload file, below the longest that the log takes.
const maxOutputs = 1_000_000

// NewDraft starts an artifact. End it with [Store.Put] or [Draft.Discard]: until then, or until
// Close, the files that it brought in stay on disk.
func (s *Store) NewDraft() *Draft { return &Draft{s: s} }

// NeverInline makes a payload file of every output that is added from now on, however small. A
// front end that hands out paths of all outputs saves writing them out at the first
// [Artifact.Path].
func (d *Draft) NeverInline() { d.noInline = true }

// SetCost records how long the step took, which eviction weighs against the space it takes. Without
// it [Store.Do] records how long its build ran.
func (d *Draft) SetCost(cost time.Duration) { d.cost = cost }

// Add streams an output from r to its end. Of mode the permission bits are kept. Any error of r
// fails the draft.
func (d *Draft) Add(name string, mode fs.FileMode, r io.Reader) error {
	return d.add(name, func(it *item) error {
		it.mode = mode.Perm()
		return d.content(it, r)
	})
}

// AddSized is Add for a reader that must yield exactly size bytes; a shorter one fails the draft
// with [ErrShortContent], a longer one with [ErrTooLarge].
func (d *Draft) AddSized(name string, mode fs.FileMode, size int64, r io.Reader) error {
	return d.add(name, func(it *item) error {
		it.mode = mode.Perm()
		if err := d.content(it, io.LimitReader(r, size+1)); err != nil {
			return err
		}
		switch {
		case it.size < size:
			return fmt.Errorf("%d bytes of %d: %w", it.size, size, ErrShortContent)
		case it.size > size:
			return fmt.Errorf("more than %d bytes: %w", size, ErrTooLarge)
		}
		return nil
	})
}

// AddFile takes the content and permission bits of a file of the host by clone, or else copy. A
// symbolic link stands for its file. What is no regular file, or changes meanwhile, fails the
// draft.
func (d *Draft) AddFile(name, path string) error {
	return d.addFrom(name, path, d.s.placer.Import)
}

// TakeFile is AddFile for a file that the host gives away: it is renamed into the store where that
// is possible, on the store's file system, and then hashed. A file with more than one link is
// refused: whoever holds the other could change it. So is a symbolic link. When TakeFile has
// returned nil the file is gone, whether or not the draft is put; after an error it may be.
func (d *Draft) TakeFile(name, path string) error {
	return d.addFrom(name, path, d.s.placer.Take)
}

type takeFunc func(
	ctx context.Context, fsys vfs.FS, dst, src string, hash io.Writer,
) (place.Taken, error)

func (d *Draft) addFrom(name, path string, take takeFunc) error {
	return d.add(name, func(it *item) error {
		fi, err := os.Stat(path)
		if err != nil {
			return err
		}
		if fi.Size() <= int64(d.inlineLimit()) && fi.Mode().IsRegular() {
			return d.smallFile(it, path, take)
		}
		if d.s.space.low(fi.Size()) {
			return d.s.space.refusal()
		}
		return d.takeFile(it, path, take)
	})
}

// smallFile reads a file that goes inline through a temporary one, which gives Take its semantics.
func (d *Draft) smallFile(it *item, path string, take takeFunc) error {
	tmp, err := d.s.tmpPath()
	if err != nil {
		return err
	}
	taken, err := take(context.Background(), d.s.fs, tmp, path, nil)
	if err != nil {
		return err
	}
	it.mode = taken.Mode
	f, err := d.s.fs.OpenFile(tmp, os.O_RDONLY, 0)
	if err != nil {
		return d.s.abandon(tmp, err)
	}
	err = d.content(it, f)
	return d.s.abandon(tmp, errors.Join(err, f.Close()))
}

func (d *Draft) takeFile(it *item, path string, take takeFunc) error {
	tmp, err := d.s.tmpPath()
	if err != nil {
		return err
	}
	h := newHasher()
	taken, err := take(context.Background(), d.s.fs, tmp, path, h)
	fa := h.fact()
	if err != nil {
		return err
	}
	it.mode = taken.Mode
	f, err := d.s.fs.OpenFile(tmp, os.O_RDWR, 0)
	if err != nil {
		return d.s.abandon(tmp, err)
	}
	if err := f.Chmod(payloadMode); err != nil {
		return d.s.abandon(tmp, errors.Join(err, f.Close()))
	}
	if fa, err = d.s.placeTmp(tmp, f, fa); err != nil {
		return err
	}
	d.hold(it, fa)
	return nil
}

// AddSymlink adds a symbolic link as an output: its text is stored, not what it points to. Delivery
// refuses one that leads out of the destination.
func (d *Draft) AddSymlink(name, target string) error {
	return d.add(name, func(it *item) error {
		it.kind, it.mode, it.target = itemSymlink, fs.ModeSymlink|0o777, target
		return checkTarget(target)
	})
}

// SetStreams records what the step printed, of any size, and its exit code. Systems have that in 32
// bits, signed or not; Put fails with [ErrTooLarge] beyond. Another call replaces what was
// recorded. The slices are not kept.
func (d *Draft) SetStreams(stdout, stderr []byte, exitCode int) {
	d.exitCode = int64(exitCode)
	if d.exitCode < minExitCode || d.exitCode > maxExitCode {
		d.fail(fmt.Errorf("cache: exit code %d: %w", exitCode, ErrTooLarge))
	}
	d.setStream(itemStdout, stdout)
	d.setStream(itemStderr, stderr)
}

// SetMetadata attaches bytes that mean something to the host only: at most 64 KiB, or Put fails
// with [ErrTooLarge]. The slice is not kept.
func (d *Draft) SetMetadata(p []byte) {
	if len(p) > maxMetadata {
		d.fail(fmt.Errorf("cache: metadata of %d bytes: %w", len(p), ErrTooLarge))
		return
	}
	d.setStream(itemMetadata, p)
}

func (d *Draft) setStream(kind itemKind, p []byte) {
	for i := range d.items {
		if it := d.items[i]; it.kind == kind {
			d.items = append(d.items[:i], d.items[i+1:]...)
			d.letGo(&it.digest)
			break
		}
	}
	if len(p) == 0 {
		return
	}
	it := item{kind: kind, offset: noOffset}
	if err := d.begin(); err != nil {
		d.fail(err)
		return
	}
	defer d.s.end()
	if err := d.content(&it, bytes.NewReader(p)); err != nil {
		d.fail(d.s.wrap("put", err))
		return
	}
	d.items = append(d.items, it)
}

// Discard gives the draft up and lets go of what it brought in. After Put it does nothing.
func (d *Draft) Discard() { d.finish(false) }

// finish unpins what the draft brought in. Files that no commit refers to go.
func (d *Draft) finish(committed bool) {
	if d.done {
		return
	}
	d.done = true
	list := digestsOf(d.facts)
	if !committed {
		for i := range list {
			d.s.doomUnreferenced(&list[i])
		}
	}
	d.s.unpin(list)
}

func (d *Draft) fail(err error) {
	if d.failed == nil {
		d.failed = err
	}
}

// begin holds the store open for one verb of the draft.
func (d *Draft) begin() error {
	if d.done {
		return fmt.Errorf("cache: draft: %w", ErrClosed)
	}
	if d.failed != nil {
		return d.failed
	}
	return d.s.begin(context.Background())
}

func (d *Draft) add(name string, fill func(*item) error) error {
	if err := d.begin(); err != nil {
		return err
	}
	defer d.s.end()
	it := item{name: name, offset: noOffset}
	d.failed = errAddEnded // stands when fill panics
	err := checkName(name)
	if err == nil {
		err = d.names.add(name)
	}
	if err == nil && len(d.items) >= maxOutputs {
		err = fmt.Errorf("%d outputs: %w", len(d.items), ErrTooLarge)
	}
	if err == nil {
		err = fill(&it)
	}
	if err != nil {
		if _, named := errors.AsType[*NameError](err); !named {
			err = fmt.Errorf("output %q: %w", name, err)
		}
		d.failed = d.s.wrap("put", err)
		return d.failed
	}
	d.failed = nil
	d.items = append(d.items, it)
	return nil
}

var errAddEnded = errors.New("cache: put: the reader of an output ended its goroutine or panicked")

func (d *Draft) inlineLimit() int {
	if d.noInline || len(d.area) >= maxInlineTotal {
		return -1
	}
	return max(d.s.opt.InlineBelow, -1)
}

// content reads r to its end, into the inline area when it is small, else into a payload file.
func (d *Draft) content(it *item, r io.Reader) error {
	buf := heads.Get().(*[]byte)
	err := d.contentBy(*buf, it, r)
	if err == nil { // else a read that r has not waited for may still go on
		heads.Put(buf)
	}
	return err
}

// contentBy is content with buf, a head, to read into. It does not keep buf.
func (d *Draft) contentBy(buf []byte, it *item, r io.Reader) error {
	n, err := readChunk(r, buf)
	whole := buf[:n]
	var fa fact
	switch {
	case err == nil:
		fa, err = d.s.ingest(buf, r)
	case err != io.EOF:
	case n <= d.inlineLimit():
		it.digest, it.xxh, it.size = sha256.Sum256(whole), xxhash.Sum64(whole), int64(n)
		it.offset = uint32(len(d.area))
		d.area = append(d.area, whole...)
		return nil
	default:
		fa, err = d.s.ingestWhole(whole)
	}
	if err != nil {
		return err
	}
	d.hold(it, fa)
	return nil
}

// hold notes that it is the payload fa, and keeps one pin for each digest.
func (d *Draft) hold(it *item, fa fact) {
	it.digest, it.size, it.xxh = fa.digest, fa.size, fa.xxh
	if _, dup := d.have[fa.digest]; dup {
		d.s.unpin([]Digest{fa.digest})
		return
	}
	if d.have == nil {
		d.have = map[Digest]struct{}{}
	}
	d.have[fa.digest] = struct{}{}
	d.facts = append(d.facts, fa)
}

// letGo drops the payload of an item that was taken out, unless another is the same or there is none.
func (d *Draft) letGo(digest *Digest) {
	same := func(it item) bool { return !it.inline() && it.digest == *digest }
	if _, held := d.have[*digest]; !held || d.done || slices.ContainsFunc(d.items, same) {
		return
	}
	delete(d.have, *digest)
	d.facts = slices.DeleteFunc(d.facts, func(fa fact) bool { return fa.digest == *digest })
	d.s.doomUnreferenced(digest)
	d.s.unpin([]Digest{*digest})
}

// lone reports whether the record alone can describe the draft.
func (d *Draft) lone() bool {
	return len(d.items) == 1 && d.items[0].kind == itemFile && len(d.items[0].name) <= recordMaxName
}

// seal makes the record of the finished draft; a table becomes inline or a payload of its own.
func (d *Draft) seal(r *record) error {
	*r = record{exitCode: d.exitCode, cost: d.cost}
	for i := range d.items {
		it := &d.items[i]
		if it.size > math.MaxInt64-r.size {
			return fmt.Errorf("all outputs together: %w", ErrTooLarge)
		}
		r.size += it.size
		r.blocks += min(blocksOf(it.size), maxBlocks-r.blocks)
		if it.isOutput() {
			r.outputs++
		}
	}
	if d.lone() {
		it := &d.items[0]
		r.mode, r.content, r.digest, r.xxh = it.mode, it.size, it.digest, it.xxh
		r.nameLen = uint8(copy(r.name[:], it.name))
		if it.inline() {
			r.flags |= flagInline
		}
		return nil
	}
	return d.sealTable(r)
}

func (d *Draft) sealTable(r *record) error {
	table := appendTable(nil, d.items)
	r.flags |= flagTable
	r.content = int64(len(table))
	if len(table) <= maxInline {
		r.digest = sha256.Sum256(table)
		r.flags |= flagInline
		d.area = append(d.area, table...)
		return nil
	}
	var it item
	fa, err := d.s.ingestWhole(table)
	if err != nil {
		return err
	}
	d.hold(&it, fa)
	r.digest = it.digest
	return nil
}
