package peer

import (
	"bytes"
	"context"
	"errors"

	"github.com/larderbuild/larder/cache"
)

// Ours is this library's store, with its defaults but for durability, which is that of the peers.
func Ours() Kind {
	return Kind{Name: "ours", CanSync: true, Open: func(dir string, m Mode) (Store, error) {
		o := &cache.Options{Durability: cache.None}
		if m.Durable {
			o.Durability = cache.Always
		}
		return OpenLarder(dir, o)
	}}
}

// Larder is a store of this library with its upkeep running, as in a host.
type Larder struct {
	*cache.Store
	upkeep chan error
}

// OpenLarder opens the store in dir and starts its upkeep, which ends with Close.
func OpenLarder(dir string, o *cache.Options) (*Larder, error) {
	s, err := cache.Open(context.Background(), dir, o)
	if err != nil {
		return nil, err
	}
	l := &Larder{Store: s, upkeep: make(chan error, 1)}
	go func() { l.upkeep <- s.Run(context.Background()) }() // Close ends it and waits
	return l, nil
}

// output is the name of the one output that an artifact has here.
const output = "o"

// Put stores value as the only output of an artifact.
func (l *Larder) Put(key [32]byte, value []byte) error {
	d := l.NewDraft()
	if err := d.Add(output, 0o644, bytes.NewReader(value)); err != nil {
		d.Discard()
		return err
	}
	return l.Store.Put(context.Background(), key, d)
}

// Get returns the output's verified bytes.
func (l *Larder) Get(key [32]byte) ([]byte, error) {
	art, err := l.Store.Get(context.Background(), key)
	if errors.Is(err, cache.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer art.Release()
	return art.Bytes(output)
}

// Lookup gets the artifact and gives it back without reading the output: what the index is used for.
func (l *Larder) Lookup(key [32]byte) error {
	art, err := l.Store.Get(context.Background(), key)
	if err != nil {
		return err
	}
	art.Release()
	return nil
}

// Close closes the store and waits for its upkeep.
func (l *Larder) Close() error {
	err := l.Store.Close(context.Background())
	return errors.Join(err, <-l.upkeep)
}
