package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/gocacheprog"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// joinBroker connects to the broker of root, which it has started if need be. The broker is this
// test binary in its other role, and is stopped at the end.
func joinBroker(t *testing.T, root string) *brokered {
	t.Helper()
	r, err := newReach(root, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return joinAs(t, r)
}

func joinAs(t *testing.T, r *reach) *brokered {
	t.Helper()
	b, err := r.join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopBroker(t, r.root) })
	return b
}

func stopBroker(t *testing.T, root string) {
	t.Helper()
	var out strings.Builder
	if code := run([]string{"stop", "-dir", root}, &out, &out); code != exitOK {
		t.Errorf("stop: code %d, %s", code, &out)
	}
}

func actionOf(text string) gocacheprog.ID { return sha256.Sum256([]byte("action of " + text)) }

func putBody(t *testing.T, s gocacheprog.Store, name string, body []byte) gocacheprog.Object {
	t.Helper()
	o, err := s.Put(t.Context(), actionOf(name), sha256.Sum256(body), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func wantBody(t *testing.T, s gocacheprog.Store, name string, body []byte) {
	t.Helper()
	o, err := s.Get(t.Context(), actionOf(name))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(o.Path)
	if err != nil || !bytes.Equal(got, body) || o.Output != sha256.Sum256(body) || o.Size != int64(len(body)) {
		t.Errorf("%s: %d bytes of %d, object %+v, %v", name, len(got), len(body), o, err)
	}
}

// One broker serves all, whole bodies and streams, and what one has put the other has.
func TestBroker(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	a, b := joinBroker(t, root), joinBroker(t, root)
	defer a.Release()
	defer b.Release()
	if a.c.Info().Instance != b.c.Info().Instance {
		t.Error("two brokers")
	}
	for name, size := range map[string]int{"empty": 0, "small": 100, "whole": sendWhole, "stream": 3 << 20} {
		body := testkit.Bytes(testkit.Rand(t), size)
		put := putBody(t, a, name, body)
		if put.Size != int64(size) || put.Output != sha256.Sum256(body) {
			t.Errorf("%s: %+v", name, put)
		}
		wantBody(t, b, name, body)
	}
	if _, err := b.Get(t.Context(), actionOf("nothing")); !errors.Is(err, gocacheprog.ErrMiss) {
		t.Errorf("a miss is %v", err)
	}
}

// A put of what is there already is not sent; the body is read and verified all the same.
func TestBrokerPutsOnce(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	a := joinBroker(t, root)
	defer a.Release()
	putBody(t, a, "one", []byte("body"))
	before := storeStats(t, root)
	putBody(t, a, "one", []byte("body"))
	if after := storeStats(t, root); after != before {
		t.Errorf("the store went from %q to %q", before, after)
	}
	broken := io.MultiReader(strings.NewReader("body"), failingReader{})
	if _, err := a.Put(t.Context(), actionOf("one"), sha256.Sum256([]byte("body")), broken); !errors.Is(err, errReader) {
		t.Errorf("a body that breaks off: %v", err)
	}
}

// Go commands that have built the same at the same time: one put is done, and all are told of it.
func TestBrokerPutsOnceForAll(t *testing.T) {
	store, err := cache.Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close(context.Background())
	var s sessions
	s.init(store)
	body := testkit.Bytes(testkit.Rand(t), sendWhole) // enough to take longer than to start the next
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			l, end := s.begin()
			defer end()
			h := putHead{session: l.guide.id, action: actionOf("all"), output: sha256.Sum256(body)}
			if o, err := s.takeInTurn(t.Context(), h, body); err != nil || o.Output != h.output {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
	group.Wait()
	if n := store.Stats().Puts; n != 1 {
		t.Errorf("%d puts, want 1", n)
	}
}

// A store whose folder was removed is made anew by the next go command, and used.
func TestBrokerOfRemovedStore(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	a := joinBroker(t, root)
	putBody(t, a, "one", []byte("body"))
	first := a.c.Info().Instance
	a.Release()
	if err := os.RemoveAll(root); err != nil {
		t.Skip("a folder with open files cannot be removed here: ", err)
	}
	b := joinBroker(t, root)
	defer b.Release()
	if _, err := b.Get(t.Context(), actionOf("one")); !errors.Is(err, gocacheprog.ErrMiss) {
		t.Errorf("what was removed: %v", err)
	}
	putBody(t, b, "one", []byte("body"))
	wantBody(t, b, "one", []byte("body"))
	if b.c.Info().Instance == first {
		t.Error("the same broker")
	}
}

// What takes a while is done by a broker, started for it if need be: go commands need not wait.
func TestLongCommandsShareTheStore(t *testing.T) {
	for _, args := range []string{"verify", "prune -max-bytes 1GB"} {
		t.Run(args, func(t *testing.T) {
			root := t.TempDir()
			fillStore(t, root, time.Now(), 1)
			defer stopBroker(t, root)
			var out strings.Builder
			for _, line := range []string{args, "status"} {
				if code := run(append(strings.Fields(line), "-dir", root), &out, &out); code != exitOK {
					t.Errorf("%s: code %d, %s", line, code, &out)
				}
			}
		})
	}
}

var errReader = errors.New("the reader fails")

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errReader }

// A body that fails in the middle leaves nothing, however it travels, and the session goes on.
func TestBrokerFailedPut(t *testing.T) {
	a := joinBroker(t, filepath.Join(t.TempDir(), "store"))
	defer a.Release()
	for name, size := range map[string]int{"small": 100, "stream": 2 << 20} {
		body := io.MultiReader(bytes.NewReader(make([]byte, size)), failingReader{})
		if _, err := a.Put(t.Context(), actionOf(name), gocacheprog.ID{1}, body); !errors.Is(err, errReader) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := a.Get(t.Context(), actionOf(name)); !errors.Is(err, gocacheprog.ErrMiss) {
			t.Errorf("%s: get after the failed put: %v", name, err)
		}
	}
	putBody(t, a, "after", []byte("all is well"))
}

func storeStats(t *testing.T, root string) string {
	t.Helper()
	var out strings.Builder
	if code := run([]string{"stats", "-dir", root}, &out, &out); code != exitOK {
		t.Fatalf("stats: code %d, %s", code, &out)
	}
	return out.String()
}

// The commands that look after a store go through the broker that has it.
func TestBrokerRunsCommands(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	a := joinBroker(t, root)
	defer a.Release()
	putBody(t, a, "one", []byte("body"))
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"stats", exitOK, "outputs          1 in 1 files"},
		{"verify", exitOK, " 0 damaged"},
		{"prune -max-bytes 0", exitOK, "in use or was used within a day"},
		{"prune", exitUsage, "-max-bytes is required"},
		{"status", exitOK, "1 sessions"},
	} {
		var out strings.Builder
		code := run(append(strings.Fields(c.args), "-dir", root), &out, &out)
		if code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: code %d, printed %q", c.args, code, &out)
		}
	}
	if _, err := a.c.Call(t.Context(), opCommand, []byte("serve")); err == nil {
		t.Error("a broker serves a go command on its own input")
	}
}

// Leases end with the connection of the client that holds them.
func TestBrokerLeases(t *testing.T) {
	store, err := cache.Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close(context.Background())
	var s sessions
	s.init(store)
	l, end := s.begin()
	put := func() error {
		return s.with(l.guide.id, func(st *leased) error {
			_, err := st.Put(t.Context(), actionOf("k"), sha256.Sum256([]byte("v")), strings.NewReader("v"))
			return err
		})
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		for e, err := range store.All(t.Context()) {
			if err != nil || e.Leased != want {
				t.Errorf("leased %v, %v; want %v", e.Leased, err, want)
			}
		}
		end()
		if err := put(); !errors.Is(err, errNoSession) {
			t.Errorf("a call after the end: %v", err)
		}
		end = func() {}
	}
}

// A session outlives its broker: one that was stopped, and one that was killed.
func TestBrokerDies(t *testing.T) {
	for name, end := range map[string]func(*testing.T, string, *brokered){
		"stopped": func(t *testing.T, root string, _ *brokered) { stopBroker(t, root) },
		"killed": func(t *testing.T, _ string, b *brokered) {
			p := b.c.Info().Process
			if err := kill(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "store")
			a := joinBroker(t, root)
			defer a.Release()
			body := testkit.Bytes(testkit.Rand(t), 1<<20)
			old := putBody(t, a, "before", body)
			first := a.c.Info().Instance
			end(t, root, a)
			if _, err := os.Stat(old.Path); err != nil {
				t.Error(err)
			}
			wantBody(t, a, "before", body)
			putBody(t, a, "after", body[:1000])
			if a.c.Info().Instance == first {
				t.Error("the same broker")
			}
		})
	}
}

// A newer build of the program takes over from an older one's broker, whose sessions go on.
func TestBrokerUpgrade(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	r, err := newReach(root, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r.self = olderBuild(t, r.self)
	a := joinAs(t, r)
	defer a.Release()
	putBody(t, a, "before", []byte("body"))
	first := a.c.Info()
	newer := joinBroker(t, root)
	defer newer.Release()
	if newer.c.Info().Instance == first.Instance {
		t.Error("the old broker still serves")
	}
	wantBody(t, a, "before", []byte("body"))
	putBody(t, a, "after", []byte("more"))
	if a.c.Info().Instance != newer.c.Info().Instance {
		t.Error("the old session and the new client have different brokers")
	}
}

// olderBuild copies a program and makes it look older.
func olderBuild(t *testing.T, program string) string {
	t.Helper()
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	older := filepath.Join(t.TempDir(), filepath.Base(program))
	if err := os.WriteFile(older, text, 0o755); err != nil {
		t.Fatal(err)
	}
	when := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(older, when, when); err != nil {
		t.Fatal(err)
	}
	return older
}

// Messages that are too short are errors.
func TestShortMessages(t *testing.T) {
	whole := appendObject(nil, &gocacheprog.Object{Size: 7, Time: time.Unix(1, 2), Path: "/p"})
	if o, err := parseObject(whole); err != nil || o.Size != 7 || o.Path != "/p" || !o.Time.Equal(time.Unix(1, 2)) {
		t.Errorf("%+v, %v", o, err)
	}
	h := putHead{session: 3, action: gocacheprog.ID{1}, output: gocacheprog.ID{2}}
	if got, rest, err := parsePutHead(append(h.append(nil), "body"...)); err != nil || got != h || string(rest) != "body" {
		t.Errorf("%+v, %q, %v", got, rest, err)
	}
	a := answer{1, []byte("out"), []byte("err")}.append(nil)
	if got, err := parseAnswer(a); err != nil || got.code != 1 || string(got.stdout) != "out" || string(got.stderr) != "err" {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range 48 {
		_, err := parseObject(whole[:n])
		_, _, perr := parsePutHead(h.append(nil)[:n])
		if err == nil || perr == nil {
			t.Errorf("%d bytes: %v, %v", n, err, perr)
		}
	}
	for n := range 10 {
		if _, err := parseAnswer(a[:n]); err == nil {
			t.Errorf("answer of %d bytes", n)
		}
	}
}

// Without a broker there is no endpoint, and status says so.
func TestStatusOfNothing(t *testing.T) {
	var out strings.Builder
	if code := run([]string{"status", "-dir", t.TempDir()}, &out, &out); code != exitFailure || !strings.Contains(out.String(), "no broker") {
		t.Errorf("code %d, %s", code, &out)
	}
	out.Reset()
	if code := run([]string{"status", "-json", "-dir", t.TempDir()}, &out, &out); code != exitFailure || !json.Valid([]byte(out.String())) {
		t.Errorf("in JSON: code %d, %s", code, &out)
	}
	out.Reset()
	if code := run([]string{"stop", "-dir", t.TempDir()}, &out, &out); code != exitOK || !strings.Contains(out.String(), lifecycle.NotRunning.String()) {
		t.Errorf("code %d, %s", code, &out)
	}
}

var _ ipc.Source = (*closing)(nil)

// TestSessionsOfTwoBrokers has two go commands go on with the broker after theirs: each begins a session of its own.
func TestSessionsOfTwoBrokers(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	one, two := joinBroker(t, root), joinBroker(t, root)
	defer one.Release()
	defer two.Release()
	putBody(t, one, "x", []byte("x"))
	wantBody(t, two, "x", []byte("x"))
	stopBroker(t, root)
	wantBody(t, two, "x", []byte("x")) // its session is the new broker's first, as that of one was the old one's
	wantBody(t, one, "x", []byte("x"))
	if one.id == two.id {
		t.Errorf("both go commands use session %d", one.id)
	}
}

// TestEndingSession asks within a session that waits for an upload to end: the goroutine that asks reads the upload, too.
func TestEndingSession(t *testing.T) {
	var s sessions
	s.init(nil)
	l, _ := s.begin()
	l.use.RLock() // the upload
	ended := make(chan struct{})
	go func() {
		l.use.Lock()
		defer l.use.Unlock()
		close(ended)
	}()
	for l.use.TryRLock() {
		l.use.RUnlock()
		runtime.Gosched()
	}
	asked := make(chan error, 1)
	go func() { asked <- s.with(l.guide.id, func(*leased) error { return nil }) }()
	select {
	case err := <-asked:
		if !errors.Is(err, errNoSession) {
			t.Errorf("asked: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
	l.use.RUnlock()
	<-ended
}

// TestGivenUp has a session do without its broker once a call has failed: also a large output is not sent any more.
func TestGivenUp(t *testing.T) {
	a := joinBroker(t, filepath.Join(t.TempDir(), "store"))
	defer a.Release()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, failed := a.Put(ended, actionOf("x"), sha256.Sum256(nil), strings.NewReader(""))
	body := make([]byte, sendWhole+1)
	_, err := a.Put(t.Context(), actionOf("x"), sha256.Sum256(body), bytes.NewReader(body))
	if failed == nil || !errors.Is(err, failed) {
		t.Errorf("%v, then %v", failed, err)
	}
}

// TestLogOfTwoBrokers starts a broker beside one that runs: the log that they share has what both say.
func TestLogOfTwoBrokers(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	r, err := newReach(root, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	joinAs(t, r).Release()
	exited, err := r.spawn(t.Context(), lifecycle.SpawnInfo{})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-exited; err == nil {
		t.Error("two brokers")
	}
	stopBroker(t, root)
	log, err := os.ReadFile(r.ep.Beside(".log"))
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	if err != nil || len(lines) < 2 || !strings.Contains(string(log), "gobuild stop") {
		t.Errorf("%q, %v", log, err)
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "gobuild: ") {
			t.Errorf("a line of the log is %q", line)
		}
	}
}

// TestHaltedBroker has a broker that does not come to answer: nobody waits for it for long.
func TestHaltedBroker(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	fillStore(t, root, time.Now(), 1)
	ep, err := endpoint(root)
	if err != nil {
		t.Fatal(err)
	}
	claim, err := lifecycle.Claim(t.Context(), ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Close()
	var group sync.WaitGroup
	for args, want := range map[string]string{"status": "the broker does not answer", "stats": "1 in 1 files"} {
		group.Go(func() {
			var out strings.Builder
			run([]string{args, "-dir", root}, &out, &out)
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %s", args, &out)
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(4 * patience):
		t.Fatal("they wait on")
	}
}

// TestCommandOfEndingBroker has a broker end while it runs a command: who waits for that is told so.
func TestCommandOfEndingBroker(t *testing.T) {
	root := t.TempDir()
	fillStore(t, root, time.Now(), 1)
	ep, err := endpoint(root)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	ended := make(chan int)
	go func() { ended <- run([]string{"verify", "-rate", "1", "-dir", root}, &out, &out) }()
	for {
		s, err := statusOf(t.Context(), ep)
		if err != nil && !errors.Is(err, ipc.ErrNotRunning) {
			t.Fatal(err)
		}
		if s.Running > 0 {
			break
		}
	}
	stopBroker(t, root)
	if code := <-ended; code != exitFailure || !strings.Contains(out.String(), "the broker ends") {
		t.Errorf("code %d, %s", code, &out)
	}
}

// TestLogIsQuoted has a broker fail to start after another one has left a word in the log: what is quoted is all that
// the second one said, and no more. A long log begins anew.
func TestLogIsQuoted(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(root, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := newReach(root, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int64]int64{5: 5, maxLog + 1: 0} {
		before := bytes.Repeat([]byte("."), int(size))
		if err := os.WriteFile(r.log(), before, 0o600); err != nil {
			t.Fatal(err)
		}
		os.Remove(r.ep.Beside(".failed")) // or the second start is put off
		_, err = r.ensure(t.Context())
		e, ok := errors.AsType[*lifecycle.StartError](err)
		log, err2 := os.ReadFile(r.log())
		if !ok || e.Log != strings.TrimSpace(string(log[min(want, int64(len(log))):])) || !strings.HasPrefix(e.Log, "gobuild: ") {
			t.Errorf("after %d bytes: %v; the log is %q, %v", size, err, log, err2)
		}
	}
}

// TestBrokerOfTwoNames calls a store by two names, before it is there and after: it has one broker.
func TestBrokerOfTwoNames(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip(err)
	}
	if real, err := filepath.EvalSymlinks(link); err != nil || filepath.Base(real) != filepath.Base(dir) {
		t.Skipf("links cannot be resolved: %s, %v", real, err)
	}
	a := joinBroker(t, filepath.Join(link, "new", "store"))
	defer a.Release()
	putBody(t, a, "one", []byte("body"))
	b := joinBroker(t, filepath.Join(dir, "new", "store"))
	defer b.Release()
	wantBody(t, b, "one", []byte("body"))
	c := joinBroker(t, filepath.Join(link, "new", "store"))
	defer c.Release()
	wantBody(t, c, "one", []byte("body"))
}
