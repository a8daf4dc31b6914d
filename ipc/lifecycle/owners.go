package lifecycle

import (
	"context"
	"maps"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// ownerPause is how often owners are looked at where the system does not tell of their end.
const ownerPause = 5 * time.Second

// Owners are the processes for which a server runs, such as an editor. The rule starts with the
// first one: from then on the server is to end when the last owner has ended. The zero value has
// none and is ready to use. It is safe for concurrent use.
type Owners struct {
	// Events gets an [EventDiedOwners] from Run; nil means nobody.
	Events func(ipc.Event)

	mu    sync.Mutex
	alive map[ipc.Process]bool
	ever  int
	added chan struct{} // closed by Add; nil if Run has nobody to hear of
}

// Add makes a process an owner. A process that does not live is an error, an
// [os.ErrProcessDone]: nothing would tell of its end. Adding one again does nothing.
func (o *Owners) Add(pid int) error {
	p, err := ipc.ProcessOf(pid)
	if err != nil {
		return &os.PathError{Op: "lifecycle: add owner", Path: strconv.Itoa(pid), Err: err}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.alive == nil {
		o.alive = make(map[ipc.Process]bool)
	}
	if !o.alive[p] {
		o.alive[p] = true
		o.ever++
	}
	if o.added != nil {
		close(o.added)
		o.added = nil
	}
	return nil
}

// Count returns how many owners live, as far as Run has noticed.
func (o *Owners) Count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.alive)
}

// Run watches the owners and returns nil when the last one has ended, for the host to drain its
// server, or the cause of ctx's end. Without an owner it waits for one. It runs one goroutine for
// each owner and returns when all of them have ended. Call it once.
func (o *Owners) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer cancel()
	gone := make(chan ipc.Process)
	watched := make(map[ipc.Process]bool)
	for {
		added, alive := o.next()
		for p := range alive {
			if watched[p] {
				continue
			}
			watched[p] = true
			watchers.Go(func() { // ends with the process or with Run, which waits for it
				if waitGone(ctx, p, ownerPause) == nil {
					select {
					case gone <- p:
					case <-ctx.Done():
					}
				}
			})
		}
		select {
		case <-added:
		case p := <-gone:
			delete(watched, p)
			if o.remove(p) == 0 {
				o.report()
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (o *Owners) report() {
	o.mu.Lock()
	ever := o.ever
	o.mu.Unlock()
	r := reporter{events: o.Events}
	r.report(ipc.Event{Kind: EventDiedOwners, Server: os.Getpid(), Count: int64(ever)})
}

// next returns the owners and a channel that is closed when there is one more.
func (o *Owners) next() (<-chan struct{}, map[ipc.Process]bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.added == nil {
		o.added = make(chan struct{})
	}
	return o.added, maps.Clone(o.alive)
}

func (o *Owners) remove(p ipc.Process) (left int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.alive, p)
	return len(o.alive)
}
