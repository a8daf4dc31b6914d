package cachetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/larderbuild/larder/cache"
)

// Of makes a [Store] of s with every ability of this package except [Reopener].
func Of(s *cache.Store) Store { return &disk{s} }

// Open opens the store in dir and makes a [Store] of it that is a [Reopener] too.
func Open(ctx context.Context, dir string, o *cache.Options) (Store, error) {
	s, err := cache.Open(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	return &reopenable{disk{s}, dir, o}, nil
}

// disk is a [cache.Store] seen as a Store.
type disk struct{ s *cache.Store }

type reopenable struct {
	disk
	dir string
	o   *cache.Options
}

func (d *reopenable) Reopen(ctx context.Context) (Store, error) {
	if err := d.Close(ctx); err != nil {
		return nil, err
	}
	return Open(ctx, d.dir, d.o)
}

// Put goes on to the store's own Put after an output was refused: a draft that failed must not
// be storable.
func (d *disk) Put(ctx context.Context, key cache.Key, a Artifact) error {
	draft := d.s.NewDraft()
	return d.finish(ctx, key, draft, fill(draft, a))
}

func (d *disk) PutStreams(ctx context.Context, key cache.Key, outputs ...Stream) error {
	draft := d.s.NewDraft()
	var err error
	for _, o := range outputs {
		if o.Size < 0 {
			err = draft.Add(o.Name, o.Mode, o.Content)
		} else {
			err = draft.AddSized(o.Name, o.Mode, o.Size, o.Content)
		}
		if err != nil {
			break
		}
	}
	return d.finish(ctx, key, draft, err)
}

func (d *disk) finish(ctx context.Context, key cache.Key, draft *cache.Draft, refused error) error {
	err := d.s.Put(ctx, key, draft)
	if refused != nil && err == nil {
		return fmt.Errorf("cachetest: put succeeded after an output was refused: %v", refused)
	}
	if refused != nil {
		return refused
	}
	return err
}

func fill(draft *cache.Draft, a Artifact) error {
	for _, o := range a.Outputs {
		if err := add(draft, o); err != nil {
			return err
		}
	}
	draft.SetStreams(a.Stdout, a.Stderr, a.ExitCode)
	draft.SetMetadata(a.Metadata)
	draft.SetCost(a.Cost)
	return nil
}

func add(draft *cache.Draft, o Output) error {
	if o.Target != "" {
		return draft.AddSymlink(o.Name, o.Target)
	}
	return draft.Add(o.Name, o.Mode, bytes.NewReader(o.Content))
}

func (d *disk) Get(ctx context.Context, key cache.Key) (Leased, error) {
	return leased(d.s.Get(ctx, key))
}

func (d *disk) Do(ctx context.Context, key cache.Key, build buildFunc) (Leased, error) {
	return leased(d.s.Do(ctx, key, func(ctx context.Context, draft *cache.Draft) error {
		a, err := build(ctx)
		if err != nil {
			return err
		}
		return fill(draft, a)
	}))
}

func (d *disk) Delete(ctx context.Context, key cache.Key) error { return d.s.Delete(ctx, key) }

func (d *disk) All(ctx context.Context) iter.Seq2[cache.Key, error] {
	return func(yield func(cache.Key, error) bool) {
		for entry, err := range d.s.All(ctx) {
			if !yield(entry.Key, err) {
				return
			}
		}
	}
}

func (d *disk) Close(ctx context.Context) error { return d.s.Close(ctx) }

func (d *disk) Held() int { return int(d.s.Stats().Leases) }

// leased keeps a nil artifact from becoming a Leased that is not nil.
func leased(a *cache.Artifact, err error) (Leased, error) {
	if a == nil {
		return nil, err
	}
	return diskLease{a}, err
}

type diskLease struct{ *cache.Artifact }

func (l diskLease) Deliver(ctx context.Context, root *os.Root) error {
	_, err := l.Artifact.Deliver(ctx, root, nil)
	return err
}

func (l diskLease) Read() (Artifact, error) {
	a := Artifact{ExitCode: l.ExitCode(), Cost: l.Cost()}
	outputs, listErr := l.Outputs()
	a.Outputs = make([]Output, len(outputs))
	errs := []error{listErr}
	for i, o := range outputs {
		a.Outputs[i] = Output{Name: o.Name, Mode: o.Mode, Target: o.Target}
		if o.Mode&fs.ModeSymlink == 0 {
			var err error
			a.Outputs[i].Content, err = l.content(o)
			errs = append(errs, err)
		}
	}
	var outErr, errErr, metaErr error
	a.Stdout, outErr = l.Stdout()
	a.Stderr, errErr = l.Stderr()
	a.Metadata, metaErr = l.Metadata()
	return a, errors.Join(append(errs, outErr, errErr, metaErr)...)
}

// content reads an output by every way there is, and demands that they agree.
func (l diskLease) content(o cache.Output) ([]byte, error) {
	b, err := l.Bytes(o.Name)
	if err != nil {
		return nil, err
	}
	r, err := l.Open(o.Name)
	if err != nil {
		return nil, err
	}
	streamed, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	if !bytes.Equal(b, streamed) || int64(len(b)) != o.Size {
		return nil, fmt.Errorf("cachetest: %q: Bytes and Open differ: %s; size %d",
			o.Name, diffBytes(b, streamed), o.Size)
	}
	return b, nil
}
