package gocacheprog

import (
	"errors"
	"time"
)

// get finds the answer to a get: an output that this session keeps itself, or else
// what the store has. Whatever fails is a miss.
func (s *session) get(r *response, action ID, hasID bool) {
	s.counters.Gets.Add(1)
	o, ok := s.find(action, hasID)
	if !ok {
		r.Miss = true
		return
	}
	s.counters.Hits.Add(1)
	s.counters.HitBytes.Add(o.Size)
	r.Output, r.HasOutput, r.Size, r.Time, r.DiskPath = o.Output, true, o.Size, o.Time, o.Path
}

func (s *session) find(action ID, hasID bool) (Object, bool) {
	if !hasID {
		return Object{}, false
	}
	if o, ok := s.shelf.find(action); ok || s.store == nil {
		return o, ok
	}
	o, err := s.store.Get(s.ctx, action)
	if err == nil && !nameable(o.Path) {
		err = errNoPath
	}
	if err != nil && !errors.Is(err, ErrMiss) {
		s.trouble.report("a get that failed is answered as a miss", err)
	}
	return o, err == nil
}

// getElsewhere answers a get on a goroutine of its own, which ends with the answer.
func (s *session) getElsewhere(id int64, action ID, hasID bool) {
	slot := s.takeSlot()
	s.running.Go(func() {
		defer s.giveSlot(slot)
		start := time.Now()
		r := response{ID: id}
		s.get(&r, action, hasID)
		s.watch.note(time.Since(start))
		s.out.send(&r)
	})
}
