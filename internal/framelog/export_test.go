package framelog

// What the tests of the format need.
const (
	HeaderSize  = headerSize
	FrameHeader = frameHeader
	MaxSegment  = maxSegment
)

// FileHeader builds the header of a segment file.
func FileHeader(log [16]byte, segment uint64, generation, base uint32) []byte {
	return fileHeader{generation: generation, log: log, segment: segment, base: base}.appendTo(nil)
}

// ParseFileHeader reports what b is a header of, if it is one.
func ParseFileHeader(b []byte) (segment uint64, generation, base uint32, ok bool) {
	h, state := parseFileHeader(b)
	return h.segment, h.generation, h.base, state == headerOK
}

// RawFrame builds a frame as it stands at off.
func RawFrame(log [16]byte, segment uint64, off, kind uint32, body []byte) []byte {
	var b Batch
	b.Add(body)
	f := b.frames[0]
	newSeed(log, segment).putFrameHeader(b.buf, off, kind, f.length, f.sum)
	return b.buf
}

// Padded returns what a body of n bytes takes in the log.
func Padded(n int) int { return int(frameSize(n)) }

// Cap returns the memory that b holds.
func (b *Batch) Cap() int { return cap(b.buf) }

// OpenFiles returns how many files are open.
func (l *Log) OpenFiles() int {
	l.handles.mu.Lock()
	defer l.handles.mu.Unlock()
	return len(l.handles.open)
}

// Leaving reports whether Remove has begun with a segment.
func Leaving(l *Log, id uint64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s, _ := l.find(id)
	return s == nil || s.leaving
}

// SyncUnsynced is what a Sync has still to do that began before now.
func SyncUnsynced(l *Log) error { return l.syncUnsynced() }
