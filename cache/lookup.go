package cache

import (
	"fmt"
	"sync"

	"github.com/larderbuild/larder/cache/internal/index"
)

// Prefixes of the keys in the index.
const (
	prefixArtifact = 'a'
	prefixPayload  = 'p'
	prefixSegment  = 's'
	prefixState    = 'z'
)

// scratch is the memory that one index look-up needs, kept between calls.
type scratch struct {
	key [1 + 32]byte
	val [index.MaxValue]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func indexKey(prefix byte, k *[32]byte) (b [33]byte) {
	b[0] = prefix
	copy(b[1:], k[:])
	return b
}

// lookup reads one value of the index and hands it to parse, which gets the index key too.
func (s *Store) lookup(prefix byte, k *[32]byte, parse func(key, val []byte) error) (bool, error) {
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	sc.key = indexKey(prefix, k)
	var val []byte
	var ok bool
	err := s.withIndex(func(ix index.Index) (err error) {
		val, ok, err = ix.Get(sc.key[:], sc.val[:0])
		return err
	})
	if err != nil {
		return false, err
	}
	if !ok {
		return false, nil
	}
	if err := parse(sc.key[:], val); err != nil {
		s.distrust(fmt.Errorf("record %x: %w", sc.key[:8], err))
		return false, nil
	}
	return true, nil
}

// current reads key's record. Only the committer and readers that hold a lease may rely on it
// staying so.
func (s *Store) current(key *Key, r *record) (bool, error) {
	sh := s.shard(key)
	sh.mu.Lock()
	v := sh.look(key, r)
	sh.mu.Unlock()
	if v == unknown {
		return s.indexed(key, r)
	}
	return v == present, nil
}

func (s *Store) indexed(key *Key, r *record) (bool, error) {
	parse := func(k, v []byte) error { return parseRecord(k, v, r) }
	return s.lookup(prefixArtifact, (*[32]byte)(key), parse)
}
