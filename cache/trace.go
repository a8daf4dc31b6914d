package cache

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

// tracer writes an access trace.
type tracer struct {
	mu    sync.Mutex
	w     *bufio.Writer
	salt  [16]byte
	start time.Time
	err   error
}

// Trace records accesses to w until stop is called, for replay against eviction policies. It holds
// no names and no keys: a key becomes a hash with a salt that is thrown away. After a heading, each
// line is
//
//	microseconds-since-start op key-hash bytes blocks cost-microseconds
//
// with op one of hit, miss, put and delete; bytes, blocks and cost are 0 where they are not known.
// A second Trace ends the first. Stop flushes and returns the first error of w; tracing never fails
// a verb.
func (s *Store) Trace(w io.Writer) (stop func() error) {
	t := &tracer{w: bufio.NewWriter(w), start: time.Now()}
	rand.Read(t.salt[:])
	fmt.Fprintln(t.w, "larder-trace 1")
	if old := s.trace.Swap(t); old != nil {
		old.flush()
	}
	return func() error {
		s.trace.CompareAndSwap(t, nil)
		return t.flush()
	}
}

func (t *tracer) flush() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.w.Flush(); t.err == nil {
		t.err = err
	}
	t.w.Reset(io.Discard)
	return t.err
}

func (t *tracer) note(op string, key *Key, r *record) {
	h := xxhash.New()
	h.Write(t.salt[:])
	h.Write(key[:])
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := fmt.Fprintf(t.w, "%d %s %016x %d %d %d\n",
		time.Since(t.start).Microseconds(), op, h.Sum64(), r.size, r.blocks, r.cost.Microseconds())
	if t.err == nil {
		t.err = err
	}
}

func (s *Store) traceRecord(op string, key *Key, r *record) {
	if t := s.trace.Load(); t != nil {
		t.note(op, key, r)
	}
}
