package framelog

import (
	"cmp"
	"errors"
	"slices"
	"sync"

	"github.com/larderbuild/larder/internal/vfs"
)

// Log is an open log. All methods are safe for concurrent use.
type Log struct {
	fs      vfs.FS
	dir     string
	opt     Options
	handles *handles

	smu sync.Mutex // held by Sync; taken before wmu

	wmu      sync.Mutex // held by whoever changes files; guards the next four
	litter   []string   // unfinished files of an earlier life
	spare    []byte     // encoding buffer
	next     uint64     // lowest id that was never used
	cutDirty bool       // the active file holds bytes beyond its end

	mu      sync.RWMutex    // guards the rest; taken after wmu
	segs    []*segment      // by id
	active  *segment        // the last of segs, or nil; changed below both locks
	removed map[uint64]bool // ids that left segs
	stray   []*Damage       // files that are no part of the log
	err     error           // ErrFailed or ErrClosed
	closed  bool

	dirDirty    bool // folder entries are not durable
	rosterDirty bool // the last roster says less than we know
}

// Open opens the log in the folder dir, which must exist. It reads the header of each file
// and one frame, and changes nothing. It fails with [ErrVersion] when any segment is of a
// newer format, and with [ErrForeign] when the segments are all of another log. Whatever else
// is wrong is left to [Log.Scan] to report.
func Open(fsys vfs.FS, dir string, o *Options) (*Log, error) {
	opt, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	l := &Log{
		fs: fsys, dir: dir, opt: opt,
		handles: newHandles(fsys, dir, &opt), removed: map[uint64]bool{},
	}
	if err := l.discover(); err != nil {
		return nil, wrap("open", dir, err)
	}
	l.recallRoster()
	for _, s := range l.segs {
		l.dirDirty = l.dirDirty || !s.durable()
	}
	return l, nil
}

// find returns the segment and its index. The caller holds mu.
func (l *Log) find(id uint64) (*segment, int) {
	i, ok := slices.BinarySearchFunc(l.segs, id, func(s *segment, id uint64) int {
		return cmp.Compare(s.id, id)
	})
	if !ok {
		return nil, i
	}
	return l.segs[i], i
}

// source returns a view of one segment as it is now.
func (l *Log) source(id uint64) (source, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return source{}, ErrClosed
	}
	s, _ := l.find(id)
	if s == nil {
		return source{}, ErrNotFound
	}
	return l.view(s), nil
}

// view returns a view of s. The caller holds mu.
func (l *Log) view(s *segment) source {
	return source{handles: l.handles, id: s.id, seed: s.seed, parts: s.parts, end: s.end, exact: s.exact}
}

// Segment describes one segment of the log.
type Segment struct {
	ID     uint64
	Size   int64 // bytes, header included
	Active bool  // appends go here
}

// Segments lists the segments by id.
func (l *Log) Segments() []Segment {
	l.mu.RLock()
	defer l.mu.RUnlock()
	list := make([]Segment, len(l.segs))
	for i, s := range l.segs {
		list[i] = Segment{ID: s.id, Size: s.end, Active: s == l.active}
	}
	return list
}

// Size returns the bytes of all segments.
func (l *Log) Size() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var n int64
	for _, s := range l.segs {
		n += s.end
	}
	return n
}

// End returns where the last segment ends, or the zero Pos when there is none. Until the
// segment was appended to, resumed or scanned to its end, that is where its file ends. It may
// be called after Close.
func (l *Log) End() Pos {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.segs) == 0 {
		return Pos{}
	}
	s := l.segs[len(l.segs)-1]
	return Pos{Segment: s.id, Offset: uint32(min(s.end, maxOffset-1))}
}

// Close makes everything durable, as [Log.Sync] does, waits for running reads and closes all
// files. Later calls return nil.
func (l *Log) Close() error {
	err := l.Sync()
	if err == nil && l.lastRoster() {
		err = l.Sync()
	}
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if l.isClosed() {
		return nil
	}
	if err == nil {
		err = l.leave()
	}
	l.mu.Lock()
	l.closed, l.err = true, ErrClosed
	l.mu.Unlock()
	for _, s := range l.segs {
		for _, p := range s.parts {
			err = errors.Join(err, l.handles.drop(p))
		}
	}
	return wrap("close", l.dir, err)
}

func (l *Log) isClosed() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.closed
}

// fail makes the log refuse writes from now on and returns the error they get.
func (l *Log) fail(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = errors.Join(ErrFailed, cause)
	}
	return l.err
}

// writable returns why the log takes no writes, or nil.
func (l *Log) writable() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.err
}
