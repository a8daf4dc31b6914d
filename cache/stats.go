package cache

import (
	"sync/atomic"
)

// Stats is a moment's view of a store.
type Stats struct {
	Entries      int64 // artifacts
	Payloads     int64 // payload files that entries refer to
	PayloadBytes int64 // their bytes
	SharedBytes  int64 // bytes that would be stored again if entries did not share payload files
	LogBytes     int64 // size of the log, inline outputs included
	LiveBytes    int64 // the part of LogBytes that compaction would keep
	Leases       int64 // artifacts held now

	Hits    uint64 // since Open, as all that follow; of Get, and of Do without waiting for a build
	Misses  uint64
	Puts    uint64
	Deletes uint64
	Corrupt uint64 // damaged entries dropped, and other damage found
	Orphans uint64 // payload files dropped because nothing referred to them

	Rebuilding bool // the index is being rebuilt: keys may miss that will be found again
	Parked     bool // the index is closed until the next verb
}

type counters struct {
	entries, payloads, payloadBytes, sharedBytes  atomic.Int64
	hits, misses, puts, deletes, corrupt, orphans atomic.Uint64
}

// Stats returns the counters. It costs microseconds and works on a closed store too.
func (s *Store) Stats() Stats {
	c := &s.stats
	st := Stats{
		Entries: c.entries.Load(), Payloads: c.payloads.Load(), PayloadBytes: c.payloadBytes.Load(),
		SharedBytes: c.sharedBytes.Load(), LogBytes: s.flog.Size(),
		Hits: c.hits.Load(), Misses: c.misses.Load(), Puts: c.puts.Load(),
		Deletes: c.deletes.Load(), Corrupt: c.corrupt.Load(), Orphans: c.orphans.Load(),
		Rebuilding: s.incomplete(),
	}
	for _, l := range s.held() {
		st.Leases += int64(l.Count)
	}
	s.commitMu.Lock()
	for _, n := range s.live {
		st.LiveBytes += n
	}
	s.commitMu.Unlock()
	s.gate.RLock()
	st.Parked = s.idx == nil
	s.gate.RUnlock()
	return st
}
