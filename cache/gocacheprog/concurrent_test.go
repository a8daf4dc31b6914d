package gocacheprog_test

import (
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

// A get that takes for ever holds up nothing, not even the end of another session's
// worth of requests behind it.
func TestSlowGetHoldsNothingUp(t *testing.T) {
	stuck := make(chan bool)
	var released atomic.Int32
	c := begin(t, gocacheprog.Opened(storeFuncs{
		get: func(a gocacheprog.ID) (gocacheprog.Object, error) {
			if a == action(1) || a == action(2) {
				<-stuck
			}
			return gocacheprog.Object{}, gocacheprog.ErrMiss
		},
		release: func() { released.Add(1) },
	}), gocacheprog.Options{})
	c.send(c.line("get", action(1)))
	for range 10 {
		c.get(action(3))
	}
	c.send(c.line("get", action(2)))
	for range 10 {
		c.get(action(3))
	}
	if released.Load() != 0 {
		t.Error("released while gets go on")
	}
	close(stuck)
	answered := map[int64]bool{c.receive().ID: true, c.receive().ID: true}
	if !answered[1] || !answered[12] {
		t.Errorf("then answered %v, want 1 and 12", answered)
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
	if released.Load() != 1 {
		t.Errorf("released %d times", released.Load())
	}
}

// No more puts are worked on at once than the options allow, and that many are.
func TestConcurrencyIsBounded(t *testing.T) {
	const bound = 3
	var mu sync.Mutex
	var running, most int
	arrived := make(chan bool)
	proceed := make(chan bool)
	c := begin(t, gocacheprog.Opened(storeFuncs{
		put: func(_, _ gocacheprog.ID, r io.Reader) (gocacheprog.Object, error) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			arrived <- true
			<-proceed
			mu.Lock()
			running--
			mu.Unlock()
			return gocacheprog.Object{}, errBroken
		},
	}), gocacheprog.Options{Concurrency: bound, Sessions: t.TempDir()})
	go func() {
		for i := range 10 {
			body := content(1 + i)
			io.WriteString(c.w, c.putLine(action(i), body)+bodyLine(body))
		}
	}()
	for range bound {
		<-arrived
	}
	for range 10 - bound {
		proceed <- true
		c.receive()
		<-arrived
	}
	for range bound {
		proceed <- true
		c.receive()
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
	if most != bound {
		t.Errorf("%d puts at once, want %d", most, bound)
	}
}
