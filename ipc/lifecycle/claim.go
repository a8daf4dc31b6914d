package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/internal/errline"
	"github.com/larderbuild/larder/ipc/internal/filelock"
)

// The files beside an endpoint. Package ipc knows the first two as well: it waits for a server
// while somebody holds one of them.
const (
	claimSuffix   = ".lock"
	startSuffix   = ".start"
	failureSuffix = ".failed"
)

// ErrHeld says that the endpoint has an owner. The error itself is a [*HeldError].
var ErrHeld = errors.New("lifecycle: endpoint held")

// HeldError names the owner of an endpoint. It is an [ErrHeld].
type HeldError struct {
	Endpoint ipc.Endpoint
	Holder   Info // zero if the owner does not say who it is
}

// Error names endpoint and owner.
func (e *HeldError) Error() string {
	return "lifecycle: claim " + e.Endpoint.String() + ": held by " + e.Holder.String()
}

// Is reports whether target is [ErrHeld].
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// String names process, instance and version.
func (i Info) String() string {
	if i == (Info{}) {
		return "an unknown process"
	}
	text := "process " + strconv.Itoa(i.Process.PID)
	if i.Instance != "" { // who starts a server is no instance of one
		text += ", instance " + i.Instance
	}
	return text + ", version " + strconv.Quote(i.Version)
}

// ClaimOptions are for [Claim]; nil and the zero value are the default.
type ClaimOptions struct {
	// Version is this program's version, at most 1 KiB. It is for people who read the claim;
	// clients decide by that of [ipc.ServerOptions], which a server must set too.
	Version string
	// Instance tells this run of the server from all others, at most 1 KiB: that of
	// [ipc.Server.Info], so that both say the same. "" is 128 random bits.
	Instance string
	// Inherited is a socket that a service manager opened, see [ipc.Activated]; nil means that
	// the claim makes its own.
	Inherited *os.File
	// Starter is told that the server is ready when it listens, or why it will not. A server
	// that has more to do before it can answer leaves it nil and tells the starter itself.
	Starter *Readiness
	// Events gets what happens to the claim, from the goroutine that makes it happen; nil
	// means nobody.
	Events func(ipc.Event)
}

// Held is a claim: as long as it is not closed, this process owns the endpoint. It is an
// [ipc.Source], and so what a server serves. It is safe for concurrent use.
type Held struct {
	ep   ipc.Endpoint
	opts ClaimOptions

	mu       sync.Mutex
	file     *os.File // locked; nil after Close
	record   record
	listener *ipc.Listener
}

// Claim makes this process the one owner of the endpoint, or returns a [*HeldError] at once. The
// claim ends with [Held.Close] or with the process, and never is a dead owner in the way: its
// record is ignored, whatever number its process had. A server that lives keeps the endpoint even
// if somebody has deleted its lock file. A folder on another machine is an error, because locks are
// not to be trusted there. ctx ends waiting for what a killed owner still has: at most a second for
// the lock and another for the socket.
func Claim(ctx context.Context, ep ipc.Endpoint, o *ClaimOptions) (*Held, error) {
	if o == nil {
		o = new(ClaimOptions)
	}
	h, err := claim(ctx, ep, o)
	if err != nil {
		o.Starter.Fail(err)
		return nil, err
	}
	h.report(EventClaimed)
	return h, nil
}

func claim(ctx context.Context, ep ipc.Endpoint, o *ClaimOptions) (*Held, error) {
	if ep == (ipc.Endpoint{}) {
		return nil, errNoEndpoint
	}
	err := cmp.Or(checkName("Version", o.Version), checkName("Instance", o.Instance))
	if err != nil {
		return nil, err
	}
	f, err := lockAlone(ctx, ep, claimSuffix)
	if err != nil {
		return nil, err
	}
	if o.Inherited == nil && listens(ctx, ep) {
		f.Close()
		return nil, &HeldError{ep, askHolder(ctx, ep)}
	}
	h := &Held{ep: ep, opts: *o, file: f}
	h.record = record{Info{thisProcess(), cmp.Or(o.Instance, newInstance()), o.Version}, claimed}
	if err := h.record.write(f); err != nil {
		f.Close()
		return nil, claimError(ep, err)
	}
	return h, nil
}

// listens reports whether somebody listens although the claim is free. A process that is killed
// gives its lock up a moment before its socket.
func listens(ctx context.Context, ep ipc.Endpoint) bool {
	deadline := time.Now().Add(lookTime)
	for ep.Listening() {
		if time.Now().After(deadline) || sleep(ctx, lookPauseMax) != nil {
			return true
		}
	}
	return false
}

func claimError(ep ipc.Endpoint, err error) error {
	return &os.PathError{Op: "lifecycle: claim", Path: ep.String(), Err: err}
}

// newInstance returns 128 random bits.
func newInstance() string {
	const high = 1 << 63 // so that the length is always the same
	return strconv.FormatUint(rand.Uint64()|high, 16) + strconv.FormatUint(rand.Uint64()|high, 16)
}

// How long a lock may stay whose holder is dead or does not say who it is: a killed process needs
// the processor once more before its files are closed, and others look whether a file is locked by
// locking it for a moment.
const (
	lookTime     = time.Second
	lookPauseMax = 10 * time.Millisecond
)

// lockAlone opens and locks a file beside the endpoint.
func lockAlone(ctx context.Context, ep ipc.Endpoint, suffix string) (*os.File, error) {
	path := ep.Beside(suffix)
	if err := checkLocal(filepath.Dir(path)); err != nil {
		return nil, claimError(ep, err)
	}
	deadline := time.Now().Add(lookTime)
	for pause := time.Millisecond; ; pause = min(2*pause, lookPauseMax) {
		f, err := tryLock(path)
		if !errors.Is(err, filelock.ErrHeld) {
			if err != nil {
				return nil, claimError(ep, err)
			}
			return f, nil
		}
		holder := readRecord(path)
		if holder.Process.Alive() || time.Now().After(deadline) {
			return nil, &HeldError{ep, holder.Info}
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, errline.Join(&HeldError{ep, holder.Info}, err)
		}
	}
}

// tryLock locks the file that has this path once it is locked: not one that somebody has
// deleted or replaced in between.
func tryLock(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := filelock.Try(f); err != nil {
			f.Close()
			return nil, err
		}
		ours, err := f.Stat()
		if now, e := os.Stat(path); err == nil && e == nil && os.SameFile(ours, now) {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
}

// Info returns what the claim says of this process.
func (h *Held) Info() Info { return h.record.Info }

// Listen begins to listen at the endpoint. A server calls it; call it once. When it fails, the claim
// has ended.
func (h *Held) Listen() (*ipc.Listener, error) {
	l, err := h.listen()
	if err != nil {
		h.Close() // first: whoever hears of the failure would take the claim for another server's
		h.opts.Starter.Fail(err)
		return nil, err
	}
	h.report(EventListening)
	h.opts.Starter.Ready()
	return l, nil
}

func (h *Held) listen() (*ipc.Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file == nil {
		return nil, claimError(h.ep, os.ErrClosed)
	}
	l, err := ipc.Listen(h.ep, &ipc.ListenOptions{
		Owned: true, Inherited: h.opts.Inherited, OnRefuse: h.refused,
	})
	if err != nil {
		return nil, err
	}
	if err := h.note(listening); err != nil {
		l.Close()
		return nil, claimError(h.ep, err)
	}
	h.listener = l
	return l, nil
}

// refused notes that the server drains: without the note it would look like one that hangs.
func (h *Held) refused() {
	h.mu.Lock()
	noted := h.file != nil && h.note(draining) == nil
	h.mu.Unlock()
	if noted { // otherwise clients wait less patiently, no more
		h.report(EventRefusing)
	}
}

// note writes the stage into the record. The caller holds the lock.
func (h *Held) note(s stage) error {
	h.record.stage = s
	return h.record.write(h.file)
}

func (h *Held) report(kind string) {
	r := reporter{ep: h.ep, version: h.record.Version, events: h.opts.Events}
	r.report(ipc.Event{Kind: kind, Server: h.record.Process.PID, Instance: h.record.Instance})
}

// Close ends the listener, if there is one, and then the claim. Further calls do nothing.
func (h *Held) Close() error {
	closed, err := h.close()
	if closed {
		h.report(EventReleased)
	}
	return err
}

func (h *Held) close() (closed bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file == nil {
		return false, nil
	}
	if h.listener != nil {
		err = h.listener.Close()
	}
	err = errors.Join(err, h.file.Truncate(0), h.file.Close())
	h.file = nil
	return true, err
}
