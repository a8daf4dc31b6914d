package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
)

const entrySize = 10_000

func key(n byte) cache.Key { return cache.NewKey("test").Int(int64(n)).Sum() }

// fillStore puts an entry for each age, given in hours.
func fillStore(t *testing.T, dir string, now time.Time, ages ...int) {
	t.Helper()
	var clock time.Time
	s, err := cache.Open(t.Context(), dir, &cache.Options{Now: func() time.Time { return clock }})
	if err != nil {
		t.Fatal(err)
	}
	for i, age := range ages {
		clock = now.Add(-time.Duration(age) * time.Hour)
		d := s.NewDraft()
		if err := d.Add("output", 0o444, bytes.NewReader(bytes.Repeat([]byte{byte(i)}, entrySize))); err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), key(byte(i)), d); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func left(t *testing.T, s *cache.Store) (list []byte) {
	t.Helper()
	for n := range byte(10) {
		art, err := s.Get(t.Context(), key(n))
		if errors.Is(err, cache.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		art.Release()
		list = append(list, n)
	}
	return list
}

func TestPrune(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name  string
		limit int64
		want  []byte
	}{
		{"enough room", 10 * entrySize, []byte{0, 1, 2, 3, 4}},
		{"the oldest goes", 4*entrySize + entrySize/2, []byte{0, 2, 3, 4}},
		{"two go", 3*entrySize + entrySize/2, []byte{0, 3, 4}},
		{"nothing younger than a day goes, nor what is held", 0, []byte{0, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			fillStore(t, dir, now, 24, 400, 300, 200, 500)
			s, err := cache.Open(t.Context(), dir, &cache.Options{Now: func() time.Time { return now.Add(-time.Hour) }})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(context.Background())
			held, err := s.Get(t.Context(), key(4))
			if err != nil {
				t.Fatal(err)
			}
			defer held.Release()
			if _, err := prune(t.Context(), s, c.limit, now); err != nil {
				t.Error(err)
			}
			if got := left(t, s); !bytes.Equal(got, c.want) {
				t.Errorf("left %v, want %v", got, c.want)
			}
		})
	}
}

// The commands that look after a store, as a user runs them.
func TestStoreCommands(t *testing.T) {
	dir := t.TempDir()
	fillStore(t, dir, time.Now(), 0, 400, 300)
	defer stopBroker(t, dir)
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"stats", exitOK, "3 in 3 files"},
		{"stats -json", exitOK, `"entries": 3`},
		{"verify", exitOK, "3 outputs, 30.0 kB read: 0 damaged"},
		{"prune -max-bytes 29kB", exitOK, "1 outputs deleted"},
		{"prune -max-bytes 0", exitOK, "used within a day"},
		{"stats", exitOK, "1 in 1 files"},
		{"damage", exitOK, ""},
		{"verify -rate 1GB", exitFailure, "1 damaged"},
	} {
		if c.args == "damage" {
			stopBroker(t, dir)
			damage(t, dir)
			continue
		}
		var stdout, stderr strings.Builder
		args := strings.Fields(c.args)
		args = append([]string{args[0], "-dir", dir}, args[1:]...)
		code := run(args, &stdout, &stderr)
		if code != c.code || !strings.Contains(stdout.String(), c.want) {
			t.Errorf("%s: code %d, want %d and %q\nstdout: %s\nstderr: %s", c.args, code, c.code, c.want, &stdout, &stderr)
		}
	}
}

// damage changes the one payload file that there is.
func damage(t *testing.T, dir string) {
	t.Helper()
	s, err := cache.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	art, err := s.Get(t.Context(), key(0))
	if err != nil {
		t.Fatal(err)
	}
	defer art.Release()
	path, err := art.Path("output")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, make([]byte, entrySize+1), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// TestPruneKeepsWhatWasUsed prunes just after a go command has got an old output: the store has not logged its last use yet.
func TestPruneKeepsWhatWasUsed(t *testing.T) {
	now, dir := time.Now(), t.TempDir()
	fillStore(t, dir, now, 400, 300)
	s, err := cache.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	art, err := s.Get(t.Context(), key(0))
	if err != nil {
		t.Fatal(err)
	}
	art.Release()
	done, err := prune(t.Context(), s, 0, now)
	if err != nil || done.deleted != 1 {
		t.Errorf("deleted: %+v, %v", done, err)
	}
	if got := left(t, s); !bytes.Equal(got, []byte{0}) {
		t.Errorf("left: %v", got)
	}
}

// TestUnprinted has a full disk take no word of what a command prints: that is a failure, with a broker and without.
func TestUnprinted(t *testing.T) {
	root := t.TempDir()
	fillStore(t, root, time.Now(), 1)
	defer stopBroker(t, root)
	for _, args := range []string{"stats", "verify", "prune -max-bytes 0", "stats"} {
		var stderr strings.Builder
		code := run(append(strings.Fields(args), "-dir", root), failingWriter{}, &stderr)
		if code != exitFailure || !strings.Contains(stderr.String(), errWriter.Error()) {
			t.Errorf("%s: code %d, %s", args, code, &stderr)
		}
	}
	s, err := cache.Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	for _, args := range []string{"verify", "prune -max-bytes 0"} {
		c := &call{stdout: failingWriter{}, stderr: io.Discard, broker: &broker{sessions: sessions{store: s}}, ctx: t.Context()}
		if code := c.dispatch(strings.Fields(args)); code != exitFailure {
			t.Errorf("%s: code %d", args, code)
		}
	}
}

var errWriter = errors.New("the writer fails")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errWriter }
