package framelog

import "encoding/binary"

const rosterEntry = 12

// mates are the other segments that a roster names, and where each ends; zero is an end that
// was not durable.
type mates map[uint64]int64

// appendRoster appends what is known of all segments but s. The caller holds mu.
func (l *Log) appendRoster(b []byte, s *segment) []byte {
	others := l.segs
	if most := maxRoster / rosterEntry; len(others) > most {
		others = others[len(others)-most:]
	}
	for _, o := range others {
		if o == s || o.leaving {
			continue
		}
		end := int64(0)
		if o.durable() {
			end = min(o.end, maxOffset-align)
		}
		b = binary.BigEndian.AppendUint64(b, o.id)
		b = binary.BigEndian.AppendUint32(b, uint32(end))
	}
	return b
}

// parse adds to m what the body of a roster says.
func (m mates) parse(body []byte) {
	for ; len(body) >= rosterEntry; body = body[rosterEntry:] {
		id, end := binary.BigEndian.Uint64(body), int64(binary.BigEndian.Uint32(body[8:]))
		m[id] = max(m[id], end)
	}
}

// encodeRoster makes the frame of a roster of s, to stand at off, in l.spare behind what is
// there. The caller holds wmu.
func (l *Log) encodeRoster(s *segment, off int64) {
	at := len(l.spare)
	l.spare = append(l.spare, make([]byte, frameHeader)...)
	l.mu.RLock()
	l.spare = l.appendRoster(l.spare, s)
	l.mu.RUnlock()
	var b Batch
	b.Add(l.spare[at+frameHeader:])
	l.spare = append(l.spare[:at], b.buf...)
	f := b.frames[0]
	s.seed.putFrameHeader(l.spare[at:], uint32(off), kindRoster, f.length, f.sum)
}

// writeRoster appends a roster to the active segment. The caller holds wmu.
func (l *Log) writeRoster(s *segment) error {
	l.setRosterDirty(false) // before looking: what is learned from now on is for the next one
	l.spare = l.spare[:0]
	l.encodeRoster(s, s.end)
	err := l.write(s, l.spare)
	if err != nil {
		l.setRosterDirty(true)
	}
	return err
}

// lastRoster leaves what is known to the next life, and reports whether that was news. If it
// cannot be written, the next life knows less.
func (l *Log) lastRoster() bool {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if l.writable() != nil || l.active == nil || l.cutDirty || !l.rosterStale() {
		return false
	}
	return l.writeRoster(l.active) == nil
}

func (l *Log) rosterStale() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.rosterDirty
}

func (l *Log) setRosterDirty(dirty bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rosterDirty = dirty
}

// recallRoster learns from the first frame of the newest segment where the others end.
func (l *Log) recallRoster() {
	if len(l.segs) == 0 {
		return
	}
	src := l.view(l.segs[len(l.segs)-1])
	kind, body, err := readFrame(src, headerSize, nil, l.opt.MaxBody)
	if err != nil || kind != kindRoster {
		return
	}
	m := mates{}
	m.parse(body)
	for _, s := range l.segs[:len(l.segs)-1] {
		if end := m[s.id]; end >= headerSize {
			s.end, s.exact, s.synced = end, true, end
		}
	}
}
