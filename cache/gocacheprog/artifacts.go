package gocacheprog

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/larderbuild/larder/cache"
)

// outputName is the name of the one output that each artifact of this front end has.
const outputName = "output"

// Over makes a [Store] of s: an output of the go command is an artifact whose key is the
// action ID. It holds a lease on every artifact that it named a file of, until Release; s
// stays open, and may hold artifacts of other front ends.
//
// Outputs are never inlined, because the go command needs a file of each. One that
// is replaced by another stays stored, under a key of its own, so that paths handed out earlier stay
// valid.
func Over(s *cache.Store) Store { return &artifacts{store: s} }

type artifacts struct {
	store *cache.Store

	mu   sync.Mutex
	held []*cache.Artifact
}

// Get finds the artifact and leases it.
func (a *artifacts) Get(ctx context.Context, action ID) (Object, error) {
	art, err := a.store.Get(ctx, cache.Key(action))
	if err != nil {
		return Object{}, missing(err)
	}
	o, err := describe(art)
	if err != nil {
		art.Release()
		return Object{}, missing(err)
	}
	a.hold(art)
	return o, nil
}

// Put stores the body and leases the artifact it became.
func (a *artifacts) Put(ctx context.Context, action, output ID, body io.Reader) (Object, error) {
	d := a.store.NewDraft()
	defer d.Discard()
	d.NeverInline()
	if err := d.Add(outputName, 0o444, body); err != nil {
		return Object{}, err
	}
	old, err := a.replace(ctx, action, d)
	if err != nil {
		return Object{}, err
	}
	if old != nil {
		defer old.Release()
		a.keepReplaced(ctx, old, output)
	}
	o, err := a.Get(ctx, action)
	if err != nil {
		return Object{}, err
	}
	if o.Output != output {
		return Object{}, errReplaced
	}
	return o, nil
}

// turns let replace see what its put replaces, and no other put in between; actions share them.
var turns [64]sync.Mutex

// replace puts d and returns what it takes the place of, if anything.
func (a *artifacts) replace(ctx context.Context, action ID, d *cache.Draft) (*cache.Artifact, error) {
	turn := &turns[int(action[0])%len(turns)]
	turn.Lock()
	defer turn.Unlock()
	old, err := a.store.Get(ctx, cache.Key(action))
	if err != nil {
		old = nil
	}
	err = a.store.Put(ctx, cache.Key(action), d)
	if err != nil && old != nil {
		old.Release()
		old = nil
	}
	return old, err
}

// errReplaced is a put that another one of the same action has overtaken with another body.
var errReplaced = errors.New("another put of the same action was faster")

// keepReplaced stores what old holds once more: somebody may have got a path to it a moment ago. That
// is a courtesy to whoever has the path: a failure is none of the put's.
func (a *artifacts) keepReplaced(ctx context.Context, old *cache.Artifact, by ID) {
	o, err := describe(old)
	if err != nil || o.Output == by {
		return
	}
	d := a.store.NewDraft()
	defer d.Discard()
	d.NeverInline()
	if d.AddFile(outputName, o.Path) == nil {
		key := cache.NewKey("gocacheprog/replaced/1").Digest(cache.Digest(o.Output)).Sum()
		a.store.Put(ctx, key, d)
	}
}

// Release gives up every lease.
func (a *artifacts) Release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, art := range a.held {
		art.Release()
	}
	a.held = nil
}

func (a *artifacts) hold(art *cache.Artifact) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held = append(a.held, art)
}

// describe names the file that holds an artifact's output.
func describe(art *cache.Artifact) (Object, error) {
	out, err := art.Output(outputName)
	if err != nil {
		return Object{}, err
	}
	path, err := art.Path(outputName)
	if err != nil {
		return Object{}, err
	}
	return Object{Output: ID(out.Digest), Size: out.Size, Time: art.Created(), Path: path}, nil
}

// missing tells misses from failures. An entry that was found damaged is gone, and the
// store has reported it.
func missing(err error) error {
	if errors.Is(err, cache.ErrNotFound) {
		return ErrMiss
	}
	return err
}
