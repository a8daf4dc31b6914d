package framelog

import "errors"

// maxBacklog is how many full segments may wait for a Sync before Append does it. It bounds
// the open files and what one Sync has to wait for.
const maxBacklog = 16

// Append writes the frames of b, in order and together, at the end of the log and so gives
// them their positions. On return they survive the death of the process; a loss of power only
// after [Log.Sync]. On an error none of them counts and b may be appended again; the file
// system's error can be found with [errors.Is]. A crash during the call may keep the first
// few. A body beyond Options.MaxBody or a group beyond 2 GiB is [ErrTooLarge]. Appending an
// empty batch does nothing.
func (l *Log) Append(b *Batch) error {
	b.base = Pos{}
	if b.Len() == 0 {
		return nil
	}
	if b.longest() > l.opt.MaxBody || len(b.buf) > maxSegmentBytes {
		return wrap("append to", l.dir, ErrTooLarge)
	}
	if l.backlog() >= maxBacklog {
		if err := l.Sync(); err != nil {
			return err
		}
	}
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if err := l.append(b); err != nil {
		return wrap("append to", l.dir, err)
	}
	return nil
}

// append is Append below wmu.
func (l *Log) append(b *Batch) error {
	s, err := l.target(int64(len(b.buf)))
	if err != nil {
		return err
	}
	p := Pos{Segment: s.id, Offset: uint32(s.end)}
	b.stamp(s.seed, p)
	if err := l.write(s, b.buf); err != nil {
		return err
	}
	b.base = p
	return nil
}

// backlog counts the full segments that wait for a Sync.
func (l *Log) backlog() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n := 0
	for i := len(l.segs) - 1; i >= 0; i-- {
		switch s := l.segs[i]; {
		case s == l.active:
		case s.synced >= s.end:
			return n
		default:
			n++
		}
	}
	return n
}

// target returns the segment that takes the next n bytes, a new one where that is needed,
// with a roster in it that is not stale. The caller holds wmu.
func (l *Log) target(n int64) (*segment, error) {
	if err := l.writable(); err != nil {
		return nil, err
	}
	s := l.active
	if s == nil || s.end > s.first && s.end > l.opt.SegmentBytes-n {
		return l.create()
	}
	if err := l.coverCut(); err != nil {
		return nil, err
	}
	if l.rosterStale() {
		return s, l.writeRoster(s)
	}
	return s, nil
}

// write puts b at the end of s and moves the end. When it fails, nothing of b counts. The
// caller holds wmu.
func (l *Log) write(s *segment, b []byte) error {
	p := s.parts[len(s.parts)-1]
	if _, err := p.f.WriteAt(b, p.at(s.end)); err != nil {
		return errors.Join(err, l.cutBack(s, p))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.end += int64(len(b))
	return nil
}

// cutBack removes what a failed write left behind the end of s. The cut is synced: were it
// lost in a crash after later appends, frames could come back that the caller was told do not
// count. What cannot be cut is covered by a new file, now or by the next Append or Sync. The
// caller holds wmu.
func (l *Log) cutBack(s *segment, p *part) error {
	if err := p.f.Truncate(p.at(s.end)); err != nil {
		l.cutDirty = true
		return errors.Join(err, l.coverCut())
	}
	if err := p.f.Sync(); err != nil {
		return l.evacuate(s, err)
	}
	return nil
}

// coverCut covers what could not be cut off the active segment, if there is such. The caller
// holds wmu.
func (l *Log) coverCut() error {
	if !l.cutDirty {
		return nil
	}
	return l.relocate(l.active, l.active.end)
}
