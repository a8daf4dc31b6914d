package index_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/larderbuild/larder/cache/internal/index"
)

// history is a fixed sequence of Applies, so that any process can tell which state an index should be in.
type history struct {
	keys, ops int // how many different keys there are, and ops in one Apply
}

var lastKey = []byte("zlast")

// batch returns the ops of the n-th Apply, the first being 1, and its last op, which says n.
func (h history) batch(n int) ([]index.Op, index.Op) {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	ops := make([]index.Op, h.ops)
	for i := range ops {
		k := key('k', r.IntN(h.keys))
		if ops[i].Key = k; r.IntN(8) != 0 {
			ops[i].Value = fmt.Appendf(nil, "%x %d %100d", k[1:9], n, i)
		}
	}
	return ops, index.Op{Key: lastKey, Value: strconv.AppendInt(nil, int64(n), 10)}
}

// play applies the batches from first to last.
func (h history) play(x index.Index, first, last int) error {
	for n := first; n <= last; n++ {
		if err := x.Apply(h.batch(n)); err != nil {
			return err
		}
	}
	return nil
}

// state returns the records after n Applies.
func (h history) state(n int) map[string]string {
	m := map[string]string{}
	for i := 1; i <= n; i++ {
		ops, last := h.batch(i)
		for _, op := range append(ops, last) {
			if op.Value == nil {
				delete(m, string(op.Key))
			} else {
				m[string(op.Key)] = string(op.Value)
			}
		}
	}
	return m
}

// position returns the number of Applies that the index says it has.
func position(x index.Index) (int, error) {
	v, ok, err := x.Get(lastKey, nil)
	if err != nil || !ok {
		return 0, err
	}
	return strconv.Atoi(string(v))
}

// difference returns how many records of x, by Get and by Scan, are not what they were after n Applies.
func (h history) difference(x index.Index, n int) (int, error) {
	want, wrong := h.state(n), 0
	for i := range h.keys {
		k := key('k', i)
		v, ok, err := x.Get(k, nil)
		if err != nil {
			return 0, err
		}
		if w, present := want[string(k)]; ok != present || string(v) != w {
			wrong++
		}
	}
	seen := 0
	for op, err := range x.Scan(nil, nil) {
		if err != nil {
			return 0, err
		}
		seen++
		if want[string(op.Key)] != string(op.Value) {
			wrong++
		}
	}
	return wrong + max(0, len(want)-seen), nil
}
