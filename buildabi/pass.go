package buildabi

import (
	"bytes"
	"encoding/binary"
	"time"
)

// view is one consistent look at the board.
type view struct {
	now      int64
	list     uint64
	steps    []string
	build    *Build
	status   BuildStatus
	statuses Statuses // a copy
	reported []int    // the steps with new reports, and those reports
	reports  [][]byte
	fuzz     *Fuzz
	index    *indexed
	coverage []byte
	entries  []byte
}

// look takes a view; nothing is encoded while the lock is held.
func (s *session) look() {
	b, v := s.board, &s.view
	b.mu.Lock()
	defer b.mu.Unlock()
	s.seen = b.changes
	s.gap = time.Duration(b.sessions) * sessionGap
	v.now, v.list, v.steps, v.build = b.now(), b.lists, b.steps, b.build
	v.status = b.state.status
	v.statuses = append(v.statuses[:0], b.state.statuses...)
	v.reported, v.reports = b.state.reports.since(s.reports, v.reported[:0]), v.reports[:0]
	s.reports = b.state.reports.count
	for _, i := range v.reported {
		v.reports = append(v.reports, b.state.reports.slots[i].bytes)
	}
	v.fuzz, v.index, v.coverage, v.entries = b.state.fuzz, nil, nil, nil
	if f := v.fuzz; f != nil {
		v.index, v.coverage, v.entries = f.index, f.coverage, f.entries
	}
}

// encode makes the messages of a pass out of the view, in the order in which a client needs them: a
// build status greys the reports that came before it, and a source index must come before what
// refers to it.
func (s *session) encode() {
	s.buffer, s.msgs = s.buffer[:0], s.msgs[:0]
	v := &s.view
	if v.list != s.list {
		s.hello()
	} else { // before the first list nothing is different
		s.changes()
	}
	s.msgs = append(s.msgs, v.reports...)
	s.fuzzing()
}

// hello starts the client anew.
func (s *session) hello() {
	v := &s.view
	hello := Hello{v.status, s.board.timeReport, v.now, v.steps, v.statuses}
	s.add(hello.AppendBinary(s.buffer))
	s.list, s.build, s.helloAt = v.list, v.build, v.now
	s.status = v.status
	s.statuses = append(s.statuses[:0], v.statuses...)
}

// changes encodes what is different in the build and its steps.
func (s *session) changes() {
	v := &s.view
	if v.build != s.build { // even if it is over: the reports before it are to be grey
		s.build, s.status = v.build, Building
		s.add((&StatusUpdate{Building}).AppendBinary(s.buffer))
	}
	if v.status != s.status {
		s.status = v.status
		s.add((&StatusUpdate{v.status}).AppendBinary(s.buffer))
	}
	for i, now := range v.statuses {
		if s.statuses[i] == now {
			continue
		}
		for step := 4 * i; step < 4*i+4; step++ {
			if status := v.statuses.Get(step); status != s.statuses.Get(step) {
				s.add((&StepUpdate{uint32(step), status}).AppendBinary(s.buffer))
			}
		}
		s.statuses[i] = now
	}
}

// fuzzing encodes what is different in the fuzz session.
func (s *session) fuzzing() {
	v := &s.view
	if v.index == nil {
		return
	}
	if v.index != s.index {
		s.index, s.coverage, s.entries = v.index, nil, nil
		s.msgs = append(s.msgs, s.indexBytes())
	}
	if s.worthCoverage() {
		s.coverage = v.coverage
		s.msgs = append(s.msgs, v.coverage)
	}
	if v.entries != nil && !bytes.Equal(v.entries, s.entries) {
		s.entries = v.entries
		s.msgs = append(s.msgs, v.entries)
	}
}

// worthCoverage reports whether the client is to be told the coverage, and can bear it.
func (s *session) worthCoverage() bool {
	v := &s.view
	if v.coverage == nil {
		return false
	}
	compared := coverageRuns
	if s.board.version == V1 {
		// This client divides by the runs, the locations and the time that has passed.
		runs := binary.LittleEndian.Uint64(v.coverage[coverageRuns:])
		if runs == 0 || len(v.index.Locations) == 0 || v.now <= v.index.Start {
			return false
		}
		compared = coverageUnique
	}
	return s.coverage == nil || !bytes.Equal(v.coverage[compared:], s.coverage[compared:])
}

// indexBytes returns the source index. A client counts the time since its start as the difference
// of two of our times and milliseconds of its own: where our difference is whole milliseconds the
// sum can be zero, and a client of V1 divides by it. Then the start is told a nanosecond earlier.
func (s *session) indexBytes() []byte {
	b := s.view.index.bytes
	if (s.helloAt-s.index.Start)%int64(time.Millisecond) != 0 {
		return b
	}
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint64(b[indexStart:], uint64(s.index.Start-1))
	return b
}

// add takes the buffer with one more message, of which the board has seen to it that it can be
// encoded. What the buffer held before stays where it was if the buffer had to move.
func (s *session) add(b []byte, _ error) {
	start := len(s.buffer)
	s.buffer = b
	s.msgs = append(s.msgs, b[start:])
}
