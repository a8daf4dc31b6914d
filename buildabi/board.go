package buildabi

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrSuperseded is returned by calls on a build, or on its fuzzing, that another one has replaced.
// Nothing has changed then.
var ErrSuperseded = errors.New("buildabi: another build or fuzz session has begun")

// BoardOptions are for [NewBoard].
type BoardOptions struct {
	// Version is what the clients speak; all of a board speak the same. The default is V1.
	Version Version
	// TimeReport says that time reports will come; without it they are refused.
	TimeReport bool
}

// Board is the live state of one server: what its clients are to see. It is safe for concurrent
// use, and no call on it waits for a client. It starts no goroutine and needs no closing.
type Board struct {
	version    Version
	timeReport bool
	base       time.Time

	clicks chan struct{} // holds the one pending request
	bell   chan struct{} // holds a token for one waiting session, which wakes the others

	mu       sync.Mutex
	sessions int           // how many there are
	armed    bool          // a session waits: the next change rings the bell
	woken    chan struct{} // closed by the session that heard the bell
	changes  uint64        // counts what makes a waiting session send
	lists    uint64        // counts the step lists; 0 is none yet
	build    *Build        // the current one; nil before the first
	steps    []string      // never changed, only replaced
	state    boardState
}

// boardState is what a client learns after Hello.
type boardState struct {
	status   BuildStatus
	statuses Statuses
	reports  reports
	fuzz     *Fuzz // nil without a fuzz session
}

// NewBoard returns a board that shows nothing yet; times count from now. Nil options are the
// defaults. A version that there is not stands for the newest.
func NewBoard(o *BoardOptions) *Board {
	if o == nil {
		o = new(BoardOptions)
	}
	return &Board{
		version:    min(o.Version, V3),
		timeReport: o.TimeReport,
		base:       time.Now(),
		clicks:     make(chan struct{}, 1),
		bell:       make(chan struct{}, 1),
		woken:      make(chan struct{}),
		state:      boardState{reports: newReports(0, 0)},
	}
}

// now is what the board's times are: monotonic, since it was made, never reset.
func (b *Board) now() int64 { return int64(time.Since(b.base)) }

// StartBuild begins a build of these steps, all [Pending], and shows that it runs. Another build is
// superseded, its reports are dropped and its fuzzing ends. A list other than the last one makes
// every client start anew. Clicks on Rebuild up to now are part of this build.
func (b *Board) StartBuild(steps ...string) *Build {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Poll()
	if b.lists == 0 || !slices.Equal(b.steps, steps) {
		b.steps = slices.Clone(steps)
		b.lists++
	}
	b.build = &Build{board: b}
	b.state = boardState{
		status:   Building,
		statuses: NewStatuses(len(steps)),
		reports:  newReports(len(steps), b.state.reports.count),
	}
	b.changed()
	return b.build
}

// changed makes every session send what is new. The lock is held. Only the first change after
// quiet costs more than counting: it rings the bell, for one session.
func (b *Board) changed() {
	b.changes++
	if !b.armed {
		return
	}
	b.armed = false
	select {
	case b.bell <- struct{}{}:
	default: // one that nobody has heard yet will do
	}
}

// count adds to the number of sessions.
func (b *Board) count(n int) {
	b.mu.Lock()
	b.sessions += n
	b.mu.Unlock()
}

// hasChanged reports whether the board has changed since it was seen.
func (b *Board) hasChanged(seen uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changes != seen
}

// wait returns once the board has changed since it was seen, or when tick says so. It may
// also return early. It fails when ctx ends.
func (b *Board) wait(ctx context.Context, seen uint64, tick <-chan time.Time) error {
	b.mu.Lock()
	if b.changes != seen {
		b.mu.Unlock()
		return nil
	}
	b.armed = true
	woken := b.woken
	b.mu.Unlock()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-tick:
	case <-woken:
	case <-b.bell:
		b.mu.Lock()
		close(b.woken)
		b.woken = make(chan struct{})
		b.mu.Unlock()
	}
	return nil
}

// WaitRebuild waits until a client asks for a build. Requests are not counted: any number
// of clicks since the last StartBuild, WaitRebuild or Poll is one. It fails only when ctx ends.
func (b *Board) WaitRebuild(ctx context.Context) error {
	select {
	case <-b.clicks:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Poll reports whether a client has asked for a build, as [Board.WaitRebuild] does, and does
// not wait.
func (b *Board) Poll() bool {
	select {
	case <-b.clicks:
		return true
	default:
		return false
	}
}

// click takes a request; it is dropped if one is pending.
func (b *Board) click() {
	select {
	case b.clicks <- struct{}{}:
	default:
	}
}
