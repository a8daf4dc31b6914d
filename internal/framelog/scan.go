package framelog

import (
	"errors"
	"iter"
	"maps"
	"slices"

	"github.com/larderbuild/larder/internal/vfs"
)

// Frame is a frame met by a scan.
type Frame struct {
	Pos  Pos
	Body []byte // borrowed: valid until the loop body returns
}

// Scan yields all frames at and behind from, in the order of their positions, and, as a
// [*Damage] with a zero Frame, each region that was lost; the scan goes on behind it. Any
// other error is the last item. The order of regions is that of positions too, but for what
// is missing at the ends of segments and for whole files: what that is, damage or the [Torn]
// end of an earlier life, can only be told when all was read, and it comes last.
//
// A scan sees the log as it was at its first step, less what is removed meanwhile. The loop
// body may call any method but Close. A scan from the zero Pos that yields no damage, Torn
// excepted, has found all that ever was durable, as far as the log can know: the loss of the
// newest segment as a whole, or of its end, shows only by a smaller [Log.End].
//
// It needs memory for 1 MiB and the longest frame.
func (l *Log) Scan(from Pos) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		sources, err := l.sources()
		if err != nil {
			yield(Frame{}, wrap("scan", l.dir, err))
			return
		}
		s := newScan(l, yield)
		for _, src := range sources {
			s.present[src.id] = true
			if src.id >= from.Segment && !s.segment(src, from) {
				return
			}
		}
		_ = s.ends() && s.files(from)
		l.learn(s.learned)
	}
}

// ScanSegment is a [Log.Scan] of one segment. It yields [ErrNotFound] when there is no such
// segment. A tail that only other segments know to be damaged is [Torn] to it.
func (l *Log) ScanSegment(id uint64) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		src, err := l.source(id)
		if err != nil {
			yield(Frame{}, wrap("scan segment", id, err))
			return
		}
		s := newScan(l, yield)
		_ = s.segment(src, Pos{}) && s.ends()
	}
}

// scan is the state of one running scan.
type scan struct {
	log     *Log
	yield   func(Frame, error) bool
	present map[uint64]bool
	known   mates // from all rosters that were met
	roster  mates // the last one
	tails   []tail
	learned []tail
	blind   bool   // see tail
	mem     []byte // of the window, from segment to segment
}

// tail is how a segment ended.
type tail struct {
	src    source
	end    int64   // behind the last frame that holds
	bad    *Damage // what lies there, or nil
	synced int64
	blind  bool // the scan began behind the segment's header and met no frame: it cannot tell where they end
}

func newScan(l *Log, yield func(Frame, error) bool) *scan {
	return &scan{log: l, yield: yield, present: map[uint64]bool{}, known: mates{}}
}

// sources returns views of all segments.
func (l *Log) sources() ([]source, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return nil, ErrClosed
	}
	list := make([]source, len(l.segs))
	for i, s := range l.segs {
		list[i] = l.view(s)
	}
	return list, nil
}

// segment yields what src holds and reports whether to go on. A file that is replaced
// meanwhile makes it look again.
func (s *scan) segment(src source, from Pos) bool {
	start := int64(headerSize)
	if from.Segment == src.id {
		start = max(start, int64(from.Offset))
	}
	s.blind = start > headerSize
	w := s.walker(src, start)
	for i, p := range src.parts {
		switch {
		case !p.badHeader || p.base < start:
		case i == 0 && p.base == start:
			w.bad = &Damage{Segment: src.id, Reason: BadHeader} // and what is behind it, if that is bad too
		case !s.yield(Frame{}, &Damage{Segment: src.id, From: p.base, To: p.base, Reason: BadHeader}):
			return false
		}
	}
	for {
		at, more := s.walk(w)
		if !more || at < 0 {
			return more
		}
		fresh, err := s.log.source(src.id)
		switch {
		case errors.Is(err, ErrNotFound):
			return true // removed
		case err != nil:
			s.yield(Frame{}, wrap("scan segment", src.id, err))
			return false
		}
		fresh.end = min(fresh.end, src.end)
		w = s.walker(fresh, at)
	}
}

// walker returns one that uses the memory of the one before.
func (s *scan) walker(src source, from int64) *walker {
	w := newWalker(src, from, s.log.opt.MaxBody)
	w.win.mem = &s.mem
	return w
}

// walk yields what w finds and reports whether to go on. It returns where to look again when
// the file was replaced, or -1.
func (s *scan) walk(w *walker) (again int64, more bool) {
	for {
		f, ok := w.next()
		lost := f.lost
		if !ok {
			lost = w.bad
		}
		if lost != nil && errors.Is(lost.Err, ErrNotFound) {
			return lost.From, true
		}
		if lost != nil && vfs.IsUnopened(lost.Err) {
			s.yield(Frame{}, wrap("scan segment", w.win.src.id, lost.Err))
			return -1, false
		}
		if !ok {
			s.end(w)
			return -1, true
		}
		if lost != nil && !s.yield(Frame{}, lost) {
			return -1, false
		}
		if !s.frame(w, f) {
			return -1, false
		}
	}
}

// frame yields f, or learns from it if it is a roster.
func (s *scan) frame(w *walker, f walked) bool {
	s.blind = false
	if f.kind == kindRoster {
		s.roster = mates{}
		s.roster.parse(f.body)
		s.known.parse(f.body)
		return true
	}
	return s.yield(Frame{Pos: Pos{Segment: w.win.src.id, Offset: uint32(f.off)}, Body: f.body}, nil)
}

// end notes how the segment of w ended.
func (s *scan) end(w *walker) {
	t := tail{src: w.win.src, end: w.win.src.end, bad: w.bad, blind: s.blind}
	if w.bad != nil {
		t.end = w.bad.From
		if b, err := w.win.at(w.bad.From, 1); len(b) == 0 && err == nil {
			w.bad.Reason = Truncated
		}
	}
	s.tails = append(s.tails, t)
}

// ends yields what is missing at the ends of segments, now that all rosters were met.
func (s *scan) ends() bool {
	for _, t := range s.tails {
		if d := s.judge(t); d != nil && !s.yield(Frame{}, d) {
			return false
		}
	}
	return true
}

// judge tells a damaged end from a torn one, and learns where segments end.
func (s *scan) judge(t tail) *Damage {
	k := s.known[t.src.id]
	switch {
	case t.src.exact:
		return t.bad
	case k > t.end:
		s.learned = append(s.learned, tail{src: t.src, end: k, synced: k})
		d := &Damage{Segment: t.src.id, From: t.end, To: k, Reason: Truncated}
		if t.bad != nil {
			d.Reason, d.Err = t.bad.Reason, t.bad.Err
		}
		return d
	case t.bad != nil && t.bad.Err != nil && k < t.end:
		return t.bad
	}
	end := t.end
	if t.blind {
		end = max(k, t.src.framesEnd(s.log.opt.MaxBody))
	}
	if end >= headerSize {
		s.learned = append(s.learned, tail{src: t.src, end: end, synced: k})
	}
	if t.bad == nil || k > 0 && k == t.end {
		return nil // what lies behind the end does not count
	}
	t.bad.Reason = Torn
	return t.bad
}

// framesEnd reads all of a segment and tells where its last frame ends, 0 if reading fails.
func (s *source) framesEnd(maxBody int) int64 {
	w := newWalker(*s, headerSize, maxBody)
	for _, ok := w.next(); ok; _, ok = w.next() {
	}
	switch {
	case w.bad == nil:
		return s.end
	case w.bad.Err != nil:
		return 0
	}
	return w.bad.From
}

// files yields the segments that should be there and are not, and the files that should not.
// The last roster that was met may name segments which were removed before the scan: the newer
// ones may have gone, with the segments they stood in, before the scan came to them.
func (s *scan) files(from Pos) bool {
	for _, id := range slices.Sorted(maps.Keys(s.roster)) {
		if s.present[id] || id < from.Segment || s.log.wasRemoved(id) {
			continue
		}
		if !s.yield(Frame{}, &Damage{Segment: id, To: s.known[id], Reason: Missing}) {
			return false
		}
	}
	for _, d := range s.log.stray {
		if !s.yield(Frame{}, d) {
			return false
		}
	}
	return true
}

// learn takes over where segments of earlier lives end.
func (l *Log) learn(tails []tail) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range tails {
		s, _ := l.find(t.src.id)
		if s != nil && !s.exact { // the active one always is
			s.end, s.exact, s.synced = t.end, true, max(s.synced, t.synced)
		}
	}
}
