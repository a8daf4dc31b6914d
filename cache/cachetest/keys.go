package cachetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"

	"github.com/larderbuild/larder/cache"
)

// Keys never mix.
var keyRules = []rule{
	{"keys/one bit apart", keysNear},
	{"keys/concurrent", keysConcurrent},
}

// keysNear sets one bit of each key: a store that folds, cuts or hashes keys would mix some up.
func keysNear(t *trial) {
	var keys []cache.Key
	for bit := range 256 {
		var key cache.Key
		key[bit/8] = 1 << (bit % 8)
		keys = append(keys, key)
	}
	keys = append(keys, cache.Key{})
	for i, key := range keys {
		t.put(key, text(fmt.Sprint("value ", i)))
	}
	for i, key := range keys {
		t.want(key, text(fmt.Sprint("value ", i)))
	}
	t.remove(cache.Key{})
	t.want(keys[0], text("value 0"))
	t.listed(keys[:256]...)
}

// stampedValues are artifacts that say for which key they were made, in every part.
type stampedValues struct {
	mu   sync.Mutex
	made [4]int // values made for each key
}

// next makes the next value for key k.
func (v *stampedValues) next(k int) Artifact {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.made[k]++
	return stamped(k, v.made[k])
}

// check reports a value that was not made for key k, or is not whole.
func (v *stampedValues) check(k int, got Artifact) error {
	n, err := strconv.Atoi(string(got.Metadata))
	v.mu.Lock()
	made := v.made[k]
	v.mu.Unlock()
	if err != nil || n < 1 || n > made {
		return fmt.Errorf("key %d: got metadata %q, which was not put for it", k, got.Metadata)
	}
	if d := stamped(k, n).diff(got); d != "" {
		return fmt.Errorf("key %d: of value %d got %s", k, n, d)
	}
	return nil
}

func stamped(k, n int) Artifact {
	seed := k<<20 + n
	return Artifact{
		Outputs: []Output{
			{Name: "small", Mode: 0o644, Content: noise(40, seed)},
			{Name: "big", Mode: 0o755, Content: noise(2000, seed)},
			{Name: "shared", Mode: 0o644, Content: noise(3000, 0)},
			{Name: "sometimes shared", Mode: 0o644, Content: noise(1500, n%4)},
		},
		ExitCode: seed % 7,
		Metadata: strconv.AppendInt(nil, int64(n), 10),
	}
}

// keysConcurrent has many workers put, get, delete and list few keys. A get may give any value
// that was put for its key, but it must be whole.
func keysConcurrent(t *trial) {
	var values stampedValues
	var group sync.WaitGroup
	for worker := range 8 {
		rng := rand.New(rand.NewPCG(t.o.Seed, uint64(worker)))
		group.Go(func() {
			for range t.o.Steps / 4 {
				if err := values.step(t, rng); err != nil {
					t.Errorf("worker %d: %v", worker, err)
					return
				}
			}
		})
	}
	group.Wait()
	var left []cache.Key
	for k := range values.made {
		if absent(t.ctx, t.store, keyOf(k)) != nil {
			left = append(left, keyOf(k))
		}
	}
	if !t.Failed() {
		t.listed(left...)
	}
}

func (v *stampedValues) step(t *trial, rng *rand.Rand) error {
	k := rng.IntN(len(v.made))
	switch rng.IntN(8) {
	case 0, 1:
		return t.store.Put(t.ctx, keyOf(k), v.next(k))
	case 2:
		return unlessAbsent(t.store.Delete(t.ctx, keyOf(k)))
	case 3:
		return v.list(t)
	default:
		return v.get(t, k)
	}
}

func (v *stampedValues) get(t *trial, k int) error {
	l, err := t.store.Get(t.ctx, keyOf(k))
	if err != nil {
		return unlessAbsent(err)
	}
	defer l.Release()
	got, err := l.Read()
	if err != nil {
		return fmt.Errorf("key %d: read: %w", k, err)
	}
	return v.check(k, got)
}

func (v *stampedValues) list(t *trial) error {
	for key, err := range t.store.All(t.ctx) {
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		known := func(k int) bool { return keyOf(k) == key }
		if !slices.ContainsFunc([]int{0, 1, 2, 3}, known) {
			return fmt.Errorf("list: %v was never put", key)
		}
	}
	return nil
}
