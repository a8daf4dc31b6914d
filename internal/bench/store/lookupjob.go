package store

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/larderbuild/larder/internal/bench/content"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/meter"
	"github.com/larderbuild/larder/internal/bench/peer"
)

const jobLookup = "lookup"

type looking struct {
	Dir     string
	Badger  string // folder of the same records in Badger, made by the job
	Entries int
	Rounds  int
	Gets    int // a round and side
}

// looked holds gets a second, one sample a round, and allocations a get.
type looked struct {
	Ours, Badger             []float64
	OursMany, BadgerMany     []float64
	OursAllocs, BadgerAllocs float64
}

// lookups measures both sides in one process, round by round, with the same random keys.
func lookups(ctx context.Context, p looking) (result looked, err error) {
	if err := makeBadgerIndex(ctx, p.Badger, p.Entries); err != nil {
		return result, err
	}
	theirs, err := openBadgerIndex(p.Badger)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, theirs.close()) }()
	s, err := peer.OpenLarder(p.Dir, nil)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	c := newContest(s, theirs, p)
	if err := c.warm(ctx); err != nil {
		return result, err
	}
	samples, err := frame.Interleave(ctx, p.Rounds,
		c.rate(c.ours, 1), c.rate(c.badger, 1), c.rate(c.ours, many), c.rate(c.badger, many))
	if err != nil {
		return result, err
	}
	result.Ours, result.Badger = samples[0], samples[1]
	result.OursMany, result.BadgerMany = samples[2], samples[3]
	result.OursAllocs, err = meter.Allocs(len(c.keys), c.ours)
	if err == nil {
		result.BadgerAllocs, err = meter.Allocs(len(c.keys), c.badger)
	}
	return result, err
}

// contest has the keys of both sides ready, so that making them is not measured.
type contest struct {
	store  *peer.Larder
	theirs *badgerIndex
	keys   [][32]byte
	long   [][]byte // the same keys as they stand in an index
}

func newContest(s *peer.Larder, theirs *badgerIndex, p looking) *contest {
	c := &contest{store: s, theirs: theirs}
	random := rand.New(rand.NewPCG(3, 4))
	for range p.Gets {
		key := content.Key(random.IntN(p.Entries))
		c.keys = append(c.keys, key)
		c.long = append(c.long, indexKey(key))
	}
	return c
}

func (c *contest) ours(i int) error { return c.store.Lookup(c.keys[i]) }

func (c *contest) badger(i int) error {
	var buf [512]byte
	_, err := c.theirs.get(c.long[i], buf[:0])
	return err
}

func (c *contest) warm(ctx context.Context) error {
	for _, op := range []func(int) error{c.ours, c.badger} {
		if _, _, err := meter.Rate(ctx, meter.Load{Count: len(c.keys)}, op); err != nil {
			return err
		}
	}
	return nil
}

func (c *contest) rate(op func(int) error, workers int) frame.Side {
	return func(ctx context.Context) (float64, error) {
		_, perSecond, err := meter.Rate(ctx, meter.Load{Workers: workers, Count: len(c.keys)}, op)
		return perSecond, err
	}
}
