package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// idleAfter is how long a broker stays without a go command.
const idleAfter = 10 * time.Minute

// endpoint is where the broker of a store is found, by whichever name its folder is called.
func endpoint(root string) (ipc.Endpoint, error) {
	return ipc.NewEndpoint("gobuild", withoutLinks(root))
}

// withoutLinks resolves the symbolic links of a path whose end need not be there yet.
func withoutLinks(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent, name := filepath.Split(filepath.Clean(path))
	if name == "" {
		return path
	}
	return filepath.Join(withoutLinks(parent), name)
}

// reach says how a store's broker is kept running.
type reach struct {
	root string
	idle time.Duration
	self string // path of this program
	ep   ipc.Endpoint
}

func newReach(root string, idle time.Duration) (r *reach, err error) {
	r = &reach{root: root, idle: idle}
	if r.self, err = os.Executable(); err != nil {
		return nil, err
	}
	r.ep, err = endpoint(root)
	return r, err
}

// dial connects to the broker if there is one. It has some patience with one that begins or ends.
func (r *reach) dial(ctx context.Context) (*ipc.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return ipc.Dial(ctx, r.ep, nil)
}

// ensure connects to the broker, which is started if need be.
func (r *reach) ensure(ctx context.Context) (*ipc.Client, error) {
	return lifecycle.Ensure(ctx, r.ep, r.options())
}

// join begins a go command's use of the broker.
func (r *reach) join(ctx context.Context) (*brokered, error) {
	c, err := r.ensure(ctx)
	if err != nil {
		return nil, err
	}
	return &brokered{c: c}, nil
}

// options are for the life cycle: a newer build of this program replaces an older one's broker.
func (r *reach) options() *lifecycle.Options {
	return &lifecycle.Options{
		Spawn: r.spawn, Kill: kill, Version: version(r.self), Log: r.log(), Alone: r.shortenLog,
		Compare: func(a, b string) (int, error) {
			if len(a) != len(b) {
				return 0, errors.New("not a version of this program")
			}
			return cmp.Compare(a, b), nil
		},
	}
}

// log is the path of what all brokers of the store have said.
func (r *reach) log() string { return r.ep.Beside(".log") }

// maxLog is the size from which on that begins anew with the next broker.
const maxLog = 64 << 10

func (r *reach) shortenLog() {
	if fi, err := os.Stat(r.log()); err == nil && fi.Size() > maxLog {
		os.Truncate(r.log(), 0) // else it stays long
	}
}

// spawn starts the broker: this same program, which outlives this process and holds nothing of it.
func (r *reach) spawn(_ context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
	// The broker before may have a last word: neither is to write over the other's.
	log, err := os.OpenFile(r.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	attr := &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{null, log, log}, Dir: rootFolder, Sys: detached(),
	}
	args := []string{r.self, "broker", "-dir", r.root, "-idle", r.idle.String(), "-ready", info.Inherit(attr)}
	p, err := os.StartProcess(r.self, args, attr)
	if err != nil {
		return nil, err
	}
	exited := make(chan error, 1)
	go func() { // ends with the broker, or with this program
		state, err := p.Wait()
		if err == nil && !state.Success() {
			err = errors.New(state.String())
		}
		exited <- err
	}()
	return exited, nil
}

// kill ends a process at once, unless its number has gone to another one.
func kill(_ context.Context, p ipc.Process) error {
	found, err := os.FindProcess(p.PID)
	if err != nil {
		return nil // it has ended
	}
	defer found.Release()
	if !p.Alive() {
		return nil
	}
	if err := found.Kill(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}
