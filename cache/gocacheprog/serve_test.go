package gocacheprog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

func TestPutThenGet(t *testing.T) {
	var counters gocacheprog.Counters
	store := dirStore{t.TempDir()}
	c := begin(t, gocacheprog.Opened(store), gocacheprog.Options{Counters: &counters})
	sizes := []int{0, 1, 1000, gocacheprog.MaxInMemory, gocacheprog.MaxInMemory + 1, 3 << 20}
	for i, size := range sizes {
		if r := c.get(action(i)); !r.Miss {
			t.Errorf("%d bytes: found before the put: %+v", size, r)
		}
		body := content(size)
		c.wantKept(c.put(action(i), body), body)
		r := c.get(action(i))
		c.wantKept(r, body)
		if r.Miss || r.Size != int64(size) || len(r.OutputID) != 32 || r.Time == nil {
			t.Errorf("%d bytes: answered %+v", size, r)
		}
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
	if n := len(sizes); counters.Gets.Load() != int64(2*n) || counters.Hits.Load() != int64(n) ||
		counters.Puts.Load() != int64(n) || counters.Kept.Load() != 0 {
		t.Errorf("counted %+v", &counters)
	}
	if c.log.String() != "" {
		t.Errorf("there was trouble: %s", c.log)
	}
}

func TestAnnouncesBeforeOpening(t *testing.T) {
	announced := make(chan bool)
	c := serve(t, func(context.Context) (gocacheprog.Store, error) {
		<-announced
		return dirStore{t.TempDir()}, nil
	}, gocacheprog.Options{})
	if r := c.receive(); r.ID != 0 || len(r.KnownCommands) != 3 {
		t.Errorf("announced %+v", r)
	}
	close(announced)
	if err := c.end(); err != nil {
		t.Error(err)
	}
}

func TestGetWaitsForOpening(t *testing.T) {
	asked := make(chan bool)
	body := []byte("stored before")
	c := begin(t, func(ctx context.Context) (gocacheprog.Store, error) {
		<-asked
		store := dirStore{t.TempDir()}
		_, err := store.Put(ctx, action(1), gocacheprog.ID{}, bytes.NewReader(body))
		return store, err
	}, gocacheprog.Options{})
	c.send(c.line("get", action(1)))
	close(asked)
	c.wantKept(c.answer(), body)
	if err := c.end(); err != nil {
		t.Error(err)
	}
}

// A session that never needed the store does not wait for it, nor complain that there is none.
func TestEndDoesNotWaitForOpening(t *testing.T) {
	c := begin(t, func(ctx context.Context) (gocacheprog.Store, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, gocacheprog.Options{})
	if err := c.end(); err != nil || c.log.String() != "" {
		t.Errorf("%v, said %q", err, c.log)
	}
}

// A close before the store is open is answered; the go command waits for it.
func TestCloseDoesNotWaitForOpening(t *testing.T) {
	closed := make(chan bool)
	c := begin(t, func(context.Context) (gocacheprog.Store, error) {
		<-closed
		return nil, errBroken
	}, gocacheprog.Options{})
	c.send(`{"ID":1,"Command":"close"}` + "\n")
	if r := c.receive(); r.ID != 1 || r.Err != "" {
		t.Errorf("answered %+v", r)
	}
	close(closed)
	c.w.Close()
	if err := <-c.done; err != nil {
		t.Error(err)
	}
}

func TestSkipsWhatHasNoID(t *testing.T) {
	c := begin(t, gocacheprog.Opened(dirStore{t.TempDir()}), gocacheprog.Options{})
	for _, junk := range []string{
		"junk\n", "{}\n", `{"ID":0,"Command":"get"}` + "\n", "\x00\xff\n", "\n\n\n",
		`{"ID":"x","Command":"put","BodySize":600}` + "\n\n" + bodyLine(content(600)),
		strings.Repeat("x", 3*gocacheprog.MaxLine) + "\n",
		bodyLine(content(gocacheprog.MaxLine)),
	} {
		c.send(junk)
	}
	if r := c.get(action(1)); !r.Miss {
		t.Errorf("answered %+v", r)
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(c.log.String(), "without a readable ID"); n != 1 {
		t.Errorf("reported %d times, want once:\n%s", n, c.log)
	}
}

func TestRefusesUnknownCommand(t *testing.T) {
	c := begin(t, gocacheprog.Opened(dirStore{t.TempDir()}), gocacheprog.Options{})
	c.send(c.line("get2", action(1)))
	if r := c.answer(); !strings.Contains(r.Err, `"get2"`) {
		t.Errorf("answered %+v", r)
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
}

// The last request may come without a newline, and a conversation need not be closed.
func TestEndOfInput(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":             "",
		"request":             `{"ID":1,"Command":"get"}`,
		"half a request":      `{"ID":1,"Comm`,
		"put without a body":  `{"ID":1,"Command":"put","BodySize":3}`,
		"put, half a body":    `{"ID":1,"Command":"put","BodySize":30}` + "\n\"AAAA",
		"large, half a body":  `{"ID":1,"Command":"put","BodySize":3000000}` + "\n\"AAAA",
		"put, negative size":  `{"ID":1,"Command":"put","BodySize":-1}`,
		"put, endless size":   `{"ID":1,"Command":"put","BodySize":1000000000000000}`,
		"put, no IDs, a body": `{"ID":1,"Command":"put","BodySize":3}` + "\n\"AAAA\"",
	} {
		t.Run(name, func(t *testing.T) {
			c := begin(t, gocacheprog.Opened(dirStore{t.TempDir()}), gocacheprog.Options{Sessions: t.TempDir()})
			go func() {
				io.WriteString(c.w, text)
				c.w.Close()
			}()
			io.Copy(io.Discard, c.dec.Buffered())
			for c.dec.More() {
				c.receive()
			}
			if err := <-c.done; err != nil {
				t.Error(err)
			}
		})
	}
}

// A body that ends with the input, wherever that is, is not stored.
func TestHalfABodyIsNotStored(t *testing.T) {
	over, err := openStore(t, t.TempDir(), 1<<20)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, store := range map[string]gocacheprog.Store{"plain": dirStore{t.TempDir()}, "cache": over} {
		for _, size := range []int{5, 1000, 2 * gocacheprog.MaxInMemory} {
			body := bodyLine(content(size))
			for _, cut := range []int{0, 1, 5, len(body) / 2, len(body) - 6, len(body) - 2} {
				n++
				c := begin(t, gocacheprog.Opened(store), gocacheprog.Options{Sessions: t.TempDir()})
				c.send(c.putLine(action(n), content(size)) + body[:cut])
				c.w.Close()
				if err := <-c.done; err != nil {
					t.Error(err)
				}
				if o, err := store.Get(t.Context(), action(n)); !errors.Is(err, gocacheprog.ErrMiss) {
					t.Errorf("%s: %d of %d characters: stored %+v, %v", name, cut, len(body), o, err)
				}
			}
		}
	}
	over.Release()
}

// A body that the go command gives up half-way gets no answer: it has forgotten the
// request, and an unknown ID would end it.
func TestAbandonedPutIsNotAnswered(t *testing.T) {
	for _, size := range []int{1000, 2 * gocacheprog.MaxInMemory} {
		store := dirStore{t.TempDir()}
		c := begin(t, gocacheprog.Opened(store), gocacheprog.Options{})
		body := bodyLine(content(size))
		c.send(c.putLine(action(1), content(size)) + body[:1+size/8*4])
		if r := c.get(action(1)); !r.Miss {
			t.Errorf("%d bytes: answered %+v", size, r)
		}
		if err := c.end(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(store.dir); len(left) > 0 || err != nil {
			t.Errorf("%d bytes: the store has %v, %v", size, left, err)
		}
	}
}

func TestBadPutIsRefused(t *testing.T) {
	store := dirStore{t.TempDir()}
	c := begin(t, gocacheprog.Opened(store), gocacheprog.Options{})
	for _, size := range []int{1000, 2 * gocacheprog.MaxInMemory} {
		c.send(c.putLine(action(1), content(size)) + bodyLine(content(size-1)))
		if r := c.answer(); r.Err == "" {
			t.Errorf("%d bytes: answered %+v", size, r)
		}
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(store.dir); len(left) > 0 || err != nil {
		t.Errorf("the store has %v, %v", left, err)
	}
}

// Without a size that can be read nobody knows what is the body, and an empty file is none.
func TestUnreadableSizeIsRefused(t *testing.T) {
	c := begin(t, gocacheprog.Opened(dirStore{t.TempDir()}), gocacheprog.Options{Sessions: t.TempDir()})
	for _, size := range []string{"1e400", "99999999999999999999", "3.5", `"3"`, "[3]", "-99999999999999999999"} {
		for _, body := range []string{bodyLine(content(3)), bodyLine(content(3000)), ""} {
			line := c.putLine(action(1), content(3))
			c.send(strings.Replace(line, `"BodySize":3`, `"BodySize":`+size, 1) + body)
			if r := c.answer(); r.Err == "" {
				t.Errorf("size %s: answered %+v", size, r)
			}
			if r := c.get(action(1)); !r.Miss {
				t.Errorf("size %s: stored: %+v", size, r)
			}
		}
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
}

func TestErrorsOfTheStreams(t *testing.T) {
	var out bytes.Buffer
	open := gocacheprog.Opened(dirStore{t.TempDir()})
	in := iotest.ErrReader(errBroken)
	if err := gocacheprog.Serve(t.Context(), in, &out, open, nil); !errors.Is(err, errBroken) {
		t.Errorf("a broken input: %v", err)
	}
	r, w := io.Pipe()
	r.CloseWithError(errBroken)
	in = strings.NewReader(c1000gets())
	if err := gocacheprog.Serve(t.Context(), in, w, open, nil); !errors.Is(err, errBroken) {
		t.Errorf("a broken output: %v", err)
	}
	o := gocacheprog.Options{Concurrency: -1}
	out.Reset()
	err := gocacheprog.Serve(t.Context(), in, &out, open, &o)
	if err == nil || !strings.Contains(err.Error(), "Concurrency") || out.Len() > 0 {
		t.Errorf("a bad option: %v, %q", err, &out)
	}
}

// c1000gets is a lot of requests at once.
func c1000gets() string {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "{\"ID\":%d,\"Command\":\"get\",\"ActionID\":%q}\n\n", i+1, someID)
	}
	return b.String()
}

// Answers to requests that come together leave together. In the bubble no time passes, so
// that no get is slow.
func TestGathersAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(countingWriter)
		in := strings.NewReader(c1000gets())
		open := gocacheprog.Opened(storeFuncs{get: missAll})
		if err := gocacheprog.Serve(t.Context(), in, w, open, nil); err != nil {
			t.Fatal(err)
		}
		if w.lines != 1001 || w.writes > 10 {
			t.Errorf("%d lines in %d writes", w.lines, w.writes)
		}
	})
}

func missAll(gocacheprog.ID) (gocacheprog.Object, error) {
	return gocacheprog.Object{}, gocacheprog.ErrMiss
}

type countingWriter struct{ writes, lines int }

func (w *countingWriter) Write(p []byte) (int, error) {
	w.writes++
	w.lines += bytes.Count(p, []byte{'\n'})
	return len(p), nil
}

// The end of the context ends the use of the store, not the conversation.
func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	open := func(ctx context.Context) (gocacheprog.Store, error) { return nil, ctx.Err() }
	in := strings.NewReader(c1000gets())
	log := new(logbook)
	o := &gocacheprog.Options{Logger: slog.New(slog.NewTextHandler(log, nil))}
	if err := gocacheprog.Serve(ctx, in, &out, open, o); err != nil || !strings.Contains(log.String(), "no store") {
		t.Errorf("%v, said %q", err, log)
	}
	if n := strings.Count(out.String(), `"Miss":true`); n != 1000 {
		t.Errorf("%d misses", n)
	}
}
