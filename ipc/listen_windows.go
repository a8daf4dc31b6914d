package ipc

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/larderbuild/larder/ipc/internal/errline"
)

// Instances of the pipe that wait for clients: the fewest, and the most after a rush.
const (
	fewestPending = 4
	mostPending   = 16
)

// system is what a listener has of this system.
type system struct {
	stop syscall.Handle // event: Refuse or Close was called

	accepting sync.Mutex // held by the one call of Accept that waits
	mu        sync.Mutex
	pending   []*instance
	want      int         // how many are to be pending
	queued    []*instance // with a client, found when the waiting was ended
	refused   bool
	closed    bool
}

// listen makes the first instances. For a moment after a server's death its name may be left.
func listen(ep Endpoint, owned bool) (*Listener, error) {
	if err := checkFolder(filepath.Dir(ep.base)); err != nil {
		return nil, err
	}
	first, err := newInstance(ep.addr, true)
	for pause := connectPauseMin; owned && taken(err) && pause < time.Second; pause *= 2 {
		time.Sleep(pause)
		first, err = newInstance(ep.addr, true)
	}
	if taken(err) {
		err = errline.Join(fs.ErrExist, err)
	}
	if err != nil {
		return nil, listenError(ep, err)
	}
	stop, _, errno := createEvent.Call(0, manualReset, 0, 0)
	if stop == 0 {
		first.close()
		return nil, listenError(ep, os.NewSyscallError("CreateEventW", errno))
	}
	l := &Listener{ep: ep, system: system{
		stop: syscall.Handle(stop), want: fewestPending, pending: []*instance{first},
	}}
	l.fill()
	return l, nil
}

// taken reports whether the name belongs to another server.
func taken(err error) bool {
	return errors.Is(err, syscall.ERROR_ACCESS_DENIED) || errors.Is(err, errPipeBusy)
}

// adopt fails: handles of pipes are not passed on here.
func adopt(ep Endpoint, f *os.File) (*Listener, error) {
	f.Close()
	return nil, listenError(ep, errors.ErrUnsupported)
}

// Activated returns nothing: there are no inherited sockets here.
func Activated(func(string) string) ([]*os.File, error) { return nil, nil }

// fill makes up for instances that have got their client or have failed, as far as it can. The
// caller holds the lock, or nobody else has the listener yet.
func (l *Listener) fill() error {
	for len(l.pending) < l.want {
		i, err := newInstance(l.ep.addr, false)
		if err != nil {
			return err
		}
		l.pending = append(l.pending, i)
	}
	return nil
}

func (l *Listener) accept() (*os.File, error) {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	for {
		f, events, err := l.take()
		if f != nil || err != nil {
			return f, err
		}
		n := uintptr(len(events))
		waitForMultipleObjects.Call(n, uintptr(unsafe.Pointer(&events[0])), 0, waitForever)
		runtime.KeepAlive(events)
	}
}

// take returns a client that is there, or the events that tell of the next one.
func (l *Listener) take() (*os.File, []syscall.Handle, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.queued); n > 0 && !l.closed {
		i := l.queued[0]
		l.queued = l.queued[1:]
		return i.file(l.ep.addr), nil, nil
	}
	if l.refused || l.closed {
		return nil, nil, fs.ErrClosed
	}
	var got *instance
	kept, rush := l.pending[:0], true
	for _, i := range l.pending {
		var err error = errIOPending
		if signalled(i.waiting.HEvent) {
			err = i.connected(false)
		}
		switch {
		case err == nil && got == nil:
			got = i
		case err == nil:
			kept = append(kept, i)
		case err == errIOPending || i.again() == nil:
			kept, rush = append(kept, i), false
		default:
			i.close()
		}
	}
	l.pending = kept
	if got != nil && rush { // nobody else could have connected
		l.want = min(2*l.want, mostPending)
	}
	return l.replaced(got)
}

// replaced fills the gap that got leaves before it is served.
func (l *Listener) replaced(got *instance) (*os.File, []syscall.Handle, error) {
	err := l.fill()
	if got != nil {
		return got.file(l.ep.addr), nil, nil
	}
	if len(l.pending) == 0 {
		return nil, nil, err
	}
	events := []syscall.Handle{l.stop}
	for _, i := range l.pending {
		events = append(events, i.waiting.HEvent)
	}
	return nil, events, nil
}

func (l *Listener) refuse() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cancelPending()
}

// cancelPending makes every instance that has no client go away. The caller holds the lock.
func (l *Listener) cancelPending() error {
	if l.refused {
		return nil
	}
	l.refused = true
	for _, i := range l.pending {
		if i.cancel() {
			l.queued = append(l.queued, i)
		} else {
			i.close()
		}
	}
	l.pending = nil
	return invoke(setEvent, uintptr(l.stop))
}

func (l *Listener) end() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	err := l.cancelPending()
	l.closed = true
	for _, i := range l.queued {
		i.close()
	}
	l.queued = nil
	l.mu.Unlock()
	// Accept may still look at the event: it goes when nobody waits.
	l.accepting.Lock()
	defer l.accepting.Unlock()
	return errors.Join(err, syscall.CloseHandle(l.stop))
}
