package cache

import (
	"encoding/binary"
	"fmt"

	"github.com/larderbuild/larder/cache/internal/index"
)

// flushAfter is how many changes are kept out of the index before they are written to it together:
// each batch is a file, and recovery replays no more than that.
const flushAfter = 4096

// flush writes what is newer than the index to it, and has it merge its tables. The caller holds
// commitMu.
func (s *Store) flush(clean bool) error {
	if err := s.writeIndex(clean); err != nil {
		return err
	}
	return s.mergeIndex(clean)
}

// mergeIndex has the index merge its tables if it was written since they were merged. That may take
// some milliseconds, some tens when it is closed afterwards, and needs no lock.
func (s *Store) mergeIndex(last bool) error {
	if !s.mergeDue.Load() {
		return nil
	}
	s.mergeDue.Store(false)
	return s.withIndex(func(ix index.Index) error { return ix.Merge(last) })
}

// mergeOn goes on with merges that commits have begun, so that a quiet store comes to have few
// tables. A parked index stays so.
func (s *Store) mergeOn() error {
	s.gate.RLock()
	parked := s.idx == nil
	s.gate.RUnlock()
	if parked || s.space.low(0) {
		return nil
	}
	s.mergeDue.Store(true)
	return s.mergeIndex(false)
}

// writeIndex writes what is newer than the index to it. The caller holds commitMu.
func (s *Store) writeIndex(clean bool) error {
	if s.pendingOps == 0 && !clean && s.lastCheckpoint.applied == s.flog.End() {
		return nil
	}
	if !s.mayFlush() {
		return nil
	}
	if err := s.syncBeforeIndex(); err != nil {
		return err
	}
	s.swap()
	s.opsBuf.reset()
	for i := range s.shards {
		s.opsBuf.artifacts(&s.shards[i])
	}
	s.opsBuf.payloads(s.pay.flushing)
	s.opsBuf.segments(s.live, s.gone)
	c := s.checkpoint(clean)
	last := index.Op{Key: checkpointKey, Value: appendCheckpoint(nil, &c)}
	err := s.withIndex(func(ix index.Index) error {
		if s.indexDamage.Load() != nil { // it was parked, and ix is an empty one in its place
			return index.ErrDamaged
		}
		return ix.Apply(s.opsBuf.list(), last)
	})
	if err != nil {
		s.swap() // back again: nothing was committed meanwhile, so the fresh maps are empty
		return fmt.Errorf("cache: write index: %w", err)
	}
	s.lastCheckpoint = c
	s.mergeDue.Store(true)
	s.pendingOps = 0
	s.gone = s.gone[:0]
	s.settle()
	return nil
}

// syncBeforeIndex makes the frames that the index is about to learn of durable, with Always. If a
// power loss took one that the index has, the index would hide what was acknowledged under its key
// before.
func (s *Store) syncBeforeIndex() error {
	if s.opt.Durability != Always {
		return nil
	}
	if err := s.flog.Sync(); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	return nil
}

// mayFlush reports whether the index may be written: not on a full disk, nor when it turns out to
// be damaged, as the log has everything.
func (s *Store) mayFlush() bool {
	return s.indexDamage.Load() == nil && !s.space.low(int64(s.pendingOps)*512)
}

// swap makes the fresh changes the ones being flushed; readers see both.
func (s *Store) swap() {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.fresh, sh.flushing = sh.flushing, sh.fresh
		sh.mu.Unlock()
	}
	s.pay.mu.Lock()
	s.pay.fresh, s.pay.flushing = s.pay.flushing, s.pay.fresh
	s.pay.mu.Unlock()
}

// settle lets go of the flushed changes: the index has them.
func (s *Store) settle() {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.epoch++
		clear(sh.flushing)
		sh.mu.Unlock()
	}
	s.pay.mu.Lock()
	clear(s.pay.flushing)
	s.pay.mu.Unlock()
}

// opsBuf collects the operations of a flush in memory that is used again.
type opsBuf struct {
	ops   []index.Op
	bytes []byte
	ends  []int // of each key and value in bytes; a value of length 0 removes
}

func (o *opsBuf) reset() {
	clear(o.ops)
	o.ops, o.bytes, o.ends = o.ops[:0], o.bytes[:0], o.ends[:0]
}

func (o *opsBuf) add(key []byte, value func(b, key []byte) []byte) {
	at := len(o.bytes)
	o.bytes = append(o.bytes, key...)
	mid := len(o.bytes)
	if value != nil {
		o.bytes = value(o.bytes, o.bytes[at:mid])
	}
	o.ends = append(o.ends, mid, len(o.bytes))
}

func (o *opsBuf) artifacts(sh *shard) {
	for k, r := range sh.flushing {
		key := indexKey(prefixArtifact, (*[32]byte)(&k))
		if r == nil {
			o.add(key[:], nil)
			continue
		}
		o.add(key[:], func(b, key []byte) []byte { return appendRecord(b, key, r) })
	}
}

func (o *opsBuf) payloads(m map[Digest]*payload) {
	for d, p := range m {
		key := indexKey(prefixPayload, (*[32]byte)(&d))
		if p == nil {
			o.add(key[:], nil)
			continue
		}
		o.add(key[:], func(b, key []byte) []byte { return appendPayload(b, key, p) })
	}
}

// segments writes the live bytes of each segment, changed or not: who opens the index then finds
// all of them in what was written last. A segment that is gone is removed.
func (o *opsBuf) segments(live map[uint64]int64, gone []uint64) {
	for _, id := range gone {
		o.add(segmentKey(id), nil)
	}
	for id, n := range live {
		o.add(segmentKey(id), func(b, key []byte) []byte {
			start := len(b)
			b = binary.LittleEndian.AppendUint64(b, uint64(n))
			return binary.LittleEndian.AppendUint64(b, sum(key, b[start:]))
		})
	}
}

func segmentKey(id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixSegment}, id)
}

// list returns the operations; they live until reset.
func (o *opsBuf) list() []index.Op {
	at := 0
	for i := 0; i < len(o.ends); i += 2 {
		op := index.Op{Key: o.bytes[at:o.ends[i]]}
		if o.ends[i+1] > o.ends[i] {
			op.Value = o.bytes[o.ends[i]:o.ends[i+1]]
		}
		o.ops = append(o.ops, op)
		at = o.ends[i+1]
	}
	return o.ops
}
