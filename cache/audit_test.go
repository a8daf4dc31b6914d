package cache

import (
	"context"
	"errors"
	"fmt"
)

// audit compares what the store keeps count of with what there is. When a frame could not be read, spoiled, payloads may be
// counted that nothing refers to any more, and the index may know of frames whose segment has gone. It says nothing of an
// index that is being rebuilt.
func audit(s *Store, spoiled bool) error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if s.incomplete() {
		return nil
	}
	entries, live, refs := int64(0), map[uint64]int64{}, map[Digest]uint32{}
	err := s.each(context.Background(), func(key *Key, rec *record) bool {
		entries++
		live[rec.pos.Segment] += frameCost(rec)
		files, _ := s.filesOf(key, rec)
		for _, d := range files {
			refs[d]++
		}
		return true
	})
	if err != nil || s.incomplete() {
		return nil
	}
	var errs []error
	there := map[uint64]bool{}
	for _, seg := range s.flog.Segments() {
		there[seg.ID] = true
	}
	if n := s.stats.entries.Load(); n != entries {
		errs = append(errs, fmt.Errorf("%d entries, counted %d", entries, n))
	}
	for id, n := range s.live {
		if there[id] && n != live[id] || !there[id] && !spoiled {
			errs = append(errs, fmt.Errorf("segment %d, there: %v, has %d live bytes, counted %d", id, there[id], live[id], n))
		}
		delete(live, id)
	}
	if len(live) > 0 && !spoiled {
		errs = append(errs, fmt.Errorf("not counted: live bytes of segments %v", live))
	}
	for d, n := range refs {
		p, ok, err := s.payload(&d)
		if err != nil {
			return nil
		}
		if !ok || p.refs < n || p.refs > n && !spoiled {
			errs = append(errs, fmt.Errorf("payload %v has %d references, counted %d", d, n, p.refs))
		}
	}
	if n := s.stats.payloads.Load(); n < int64(len(refs)) || n > int64(len(refs)) && !spoiled {
		errs = append(errs, fmt.Errorf("%d payloads, counted %d", len(refs), n))
	}
	return errors.Join(errs...)
}
