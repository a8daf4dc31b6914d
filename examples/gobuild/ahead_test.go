package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

// A go command that asks for one output is sent what the one before it asked for next, in its order, but what
// is not there.
func TestSentAhead(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	a, b := joinBroker(t, root), joinBroker(t, root)
	defer a.Release()
	defer b.Release()
	// Puts come when something is built, which is not the order of the gets.
	buildAll(t, a, "get one", "get missing", "get two", "put one", "get three", "put two", "put three")

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	st, err := b.c.Open(ctx, opSession, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	request := make([]byte, getBytes)
	if _, err := io.ReadFull(st, request[:8]); err != nil { // the session's number
		t.Fatal(err)
	}
	one := actionOf("one")
	copy(request[8:], one[:])
	if _, err := b.c.Call(ctx, opGet, request); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"two", "three"} {
		action, o, err := readAhead(st)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(o.Path)
		if err != nil || action != actionOf(want) || string(got) != want || o.Output != sha256.Sum256(got) {
			t.Errorf("%s: sent %x, %+v with %q, %v", want, action, o, got, err)
		}
	}
}

// buildAll does what a go command does that finds nothing: "get NAME" is a miss, and "put NAME" stores the name.
func buildAll(t *testing.T, s gocacheprog.Store, steps ...string) {
	t.Helper()
	for _, step := range steps {
		verb, name, _ := strings.Cut(step, " ")
		if verb == "put" {
			putBody(t, s, name, []byte(name))
		} else if _, err := s.Get(t.Context(), actionOf(name)); !errors.Is(err, gocacheprog.ErrMiss) {
			t.Fatalf("%s: %v", step, err)
		}
	}
}

// sentAhead is a go command that has got one, and was sent two ahead.
func sentAhead(t *testing.T) *brokered {
	t.Helper()
	root := filepath.Join(t.TempDir(), "store")
	a, b := joinBroker(t, root), joinBroker(t, root)
	t.Cleanup(a.Release)
	t.Cleanup(b.Release)
	buildAll(t, a, "get one", "get two", "put one", "put two")
	wantBody(t, b, "one", []byte("one"))
	for start := time.Now(); !b.ahead.has(actionOf("two")); runtime.Gosched() {
		if time.Since(start) > 30*time.Second {
			t.Fatal("nothing was sent")
		}
	}
	return b
}

// What was sent ahead is not asked for.
func TestAheadAnswers(t *testing.T) {
	b, two := sentAhead(t), actionOf("two")
	ended, cancel := context.WithCancel(t.Context())
	cancel() // nothing can be asked with this
	if o, err := b.Get(ended, two); err != nil || o.Output != sha256.Sum256([]byte("two")) {
		t.Errorf("%+v, %v", o, err)
	}
	if b.ahead.has(two) {
		t.Error("it is still held")
	}
}

func (a *ahead) has(action gocacheprog.ID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.objects[action]
	return ok
}

// What is remembered of the order has a bound.
func TestOrderIsBounded(t *testing.T) {
	var o order
	var before, action gocacheprog.ID
	for i := range 2 * maxOrder {
		binary.LittleEndian.PutUint64(action[:], uint64(i))
		o.note(before, action)
		if next, ok := o.after(before); !ok || next != action {
			t.Fatalf("after %d: %v, %v", i, next, ok)
		}
		before = action
	}
	if len(o.next) > maxOrder {
		t.Errorf("%d actions are remembered", len(o.next))
	}
}

// TestAheadOfOwnPut puts an action anew that was sent ahead: what the go command has put itself is what it gets.
func TestAheadOfOwnPut(t *testing.T) {
	b := sentAhead(t)
	putBody(t, b, "two", []byte("two, again"))
	wantBody(t, b, "two", []byte("two, again"))
}
