package cachetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"

	"github.com/larderbuild/larder/cache"
)

// memoryLease is a Leased of a Memory.
type memoryLease struct {
	m        *Memory
	key      cache.Key
	a        Artifact
	released atomic.Bool
}

// lease counts a new lease. The caller holds mu.
func (m *Memory) lease(key cache.Key, a Artifact) *memoryLease {
	m.held[key]++
	return &memoryLease{m: m, key: key, a: a}
}

func (l *memoryLease) Read() (Artifact, error) { return l.a.clone(), nil }

func (l *memoryLease) Release() {
	if l.released.Swap(true) {
		return
	}
	m := l.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held[l.key]--; m.held[l.key] == 0 {
		delete(m.held, l.key)
	}
	m.wake()
}

// Deliver implements [Deliverer]. What it replaced is not put back when it fails later.
func (l *memoryLease) Deliver(ctx context.Context, root *os.Root) error {
	for _, o := range l.a.Outputs {
		if leadsOut(o) {
			return fmt.Errorf("cachetest: deliver %q: the link to %q leads out", o.Name, o.Target)
		}
	}
	for i, o := range l.a.Outputs {
		err := ctx.Err()
		if err == nil {
			err = deliver(root, o)
		}
		if err != nil {
			for _, done := range l.a.Outputs[:i] {
				err = errors.Join(err, root.Remove(done.Name))
			}
			return err
		}
	}
	return nil
}

// leadsOut reports a link that climbs higher than its own folders, or that may do so by way of
// another link.
func leadsOut(o Output) bool {
	if strings.HasPrefix(o.Target, "/") {
		return true
	}
	depth, down := strings.Count(o.Name, "/"), false
	for element := range strings.SplitSeq(o.Target, "/") {
		switch element {
		case "", ".":
		case "..":
			depth--
			if depth < 0 || down {
				return true
			}
		default:
			down = true
		}
	}
	return false
}

// deliver writes o beside its place and renames it, so that a link in that place is replaced,
// not followed.
func deliver(root *os.Root, o Output) error {
	if err := root.MkdirAll(path.Dir(o.Name), 0o777); err != nil {
		return err
	}
	temp := path.Join(path.Dir(o.Name), ".cachetest.tmp")
	err := write(root, temp, o)
	if err == nil {
		err = root.Rename(temp, o.Name)
	}
	if err != nil {
		_ = root.Remove(temp) // the error above is the one to tell
	}
	return err
}

func write(root *os.Root, name string, o Output) error {
	if o.Target != "" {
		return root.Symlink(o.Target, name)
	}
	mode := fs.FileMode(0o666)
	if executable(o.Mode) {
		mode = 0o777
	}
	return root.WriteFile(name, o.Content, mode)
}
