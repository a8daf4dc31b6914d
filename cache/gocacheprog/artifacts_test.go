package gocacheprog_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/gocacheprog"
)

// openStore opens a store that is closed at the end of the test.
func openStore(t *testing.T, dir string, reserve int64) gocacheprog.Opener {
	return func(ctx context.Context) (gocacheprog.Store, error) {
		s, err := cache.Open(ctx, dir, &cache.Options{Reserve: reserve, LockWait: -1})
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() {
			if err := s.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		return gocacheprog.Over(s), nil
	}
}

// session runs one session over a new or an old store.
func session(t *testing.T, dir string, talk func(*client)) {
	t.Helper()
	var store *cache.Store
	c := begin(t, func(ctx context.Context) (_ gocacheprog.Store, err error) {
		store, err = cache.Open(ctx, dir, nil)
		return gocacheprog.Over(store), err
	}, gocacheprog.Options{})
	talk(c)
	if err := c.end(); err != nil {
		t.Error(err)
	}
	if c.log.String() != "" {
		t.Errorf("there was trouble: %s", c.log)
	}
	if err := store.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// What one session puts the next one gets, whatever its size, each in a file that stays.
func TestOver(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	session(t, dir, func(c *client) {
		for i, size := range bodySizes {
			c.wantKept(c.put(action(i), content(size)), content(size))
		}
	})
	session(t, dir, func(c *client) {
		for i, size := range bodySizes {
			r := c.get(action(i))
			c.wantKept(r, content(size))
			paths = append(paths, r.DiskPath)
			if !filepath.IsAbs(r.DiskPath) || r.Size != int64(size) || r.Time == nil {
				t.Errorf("%d bytes: answered %+v", size, r)
			}
		}
		if r := c.get(action(len(bodySizes))); !r.Miss {
			t.Errorf("what nobody put: %+v", r)
		}
	})
	for i, size := range bodySizes {
		if info, err := os.Stat(paths[i]); err != nil || info.Size() != int64(size) {
			t.Errorf("after the session: %v, %v", info, err)
		}
	}
}

// Content that two actions share is one file. When it is taken away, both are missing,
// and each put repairs.
func TestSharedContentIsTaken(t *testing.T) {
	dir := t.TempDir()
	session(t, dir, func(c *client) {
		path := c.put(action(1), content(5000)).DiskPath
		if again := c.put(action(2), content(5000)).DiskPath; again != path {
			t.Errorf("stored twice: %s, %s", path, again)
		}
		if err := os.Rename(path, filepath.Join(t.TempDir(), "taken")); err != nil {
			t.Fatal(err)
		}
	})
	session(t, dir, func(c *client) {
		if r := c.get(action(1)); !r.Miss {
			t.Errorf("answered %+v", r)
		}
		c.wantKept(c.put(action(1), content(5000)), content(5000))
		c.wantKept(c.get(action(1)), content(5000))
	})
	session(t, dir, func(c *client) {
		c.wantKept(c.get(action(1)), content(5000))
		if r := c.get(action(2)); !r.Miss {
			c.wantKept(r, content(5000))
		}
	})
}

// A file that was changed is not handed out again.
func TestChangedPayloadIsAMiss(t *testing.T) {
	dir := t.TempDir()
	session(t, dir, func(c *client) {
		path := c.put(action(1), content(5000)).DiskPath
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content(5001)[1:], 0o644); err != nil {
			t.Fatal(err)
		}
	})
	session(t, dir, func(c *client) {
		if r := c.get(action(1)); !r.Miss {
			t.Errorf("answered %+v", r)
		}
		c.wantKept(c.put(action(1), content(5000)), content(5000))
	})
}

// A path stays valid when another body takes its action, in the session and after it.
func TestReplacedOutputStays(t *testing.T) {
	dir := t.TempDir()
	var first string
	session(t, dir, func(c *client) { first = c.put(action(1), content(5000)).DiskPath })
	session(t, dir, func(c *client) {
		c.get(action(1))
		c.put(action(1), content(6000))
		c.wantKept(c.get(action(1)), content(6000))
	})
	session(t, dir, func(c *client) { c.put(action(1), content(7000)) })
	got, err := os.ReadFile(first)
	if err != nil || len(got) != 5000 {
		t.Errorf("the first path has %d bytes, %v", len(got), err)
	}
}

// TestReplacedOldOutput puts another body for an action whose output, put long ago, one go command has just been told of.
func TestReplacedOldOutput(t *testing.T) {
	dir, clock := t.TempDir(), time.Now().Add(-100*time.Hour)
	open := func() *cache.Store {
		s, err := cache.Open(t.Context(), dir, &cache.Options{Now: func() time.Time { return clock }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(context.Background()) })
		return s
	}
	put := func(s *cache.Store, text string) {
		session := gocacheprog.Over(s)
		defer session.Release()
		body := []byte(text)
		if _, err := session.Put(t.Context(), gocacheprog.ID{1}, sha256.Sum256(body), bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
	}
	s := open()
	put(s, "old")
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock = time.Now()
	s = open()
	session := gocacheprog.Over(s)
	o, err := session.Get(t.Context(), gocacheprog.ID{1})
	if err != nil {
		t.Fatal(err)
	}
	session.Release()
	put(s, "new")
	if _, err := os.Stat(o.Path); err != nil {
		t.Errorf("told a moment ago: %v", err)
	}
}

// TestReplacedAtOnce has two go commands put different outputs of one action at once: all paths that were told stay.
func TestReplacedAtOnce(t *testing.T) {
	store, err := cache.Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close(t.Context())
	var told []string
	for i := range 300 {
		action := sha256.Sum256(fmt.Append(nil, i))
		put := func(text string) string {
			session := gocacheprog.Over(store)
			defer session.Release()
			body := []byte(text)
			o, err := session.Put(t.Context(), action, sha256.Sum256(body), bytes.NewReader(body))
			if err != nil {
				return "" // another put was faster
			}
			return o.Path
		}
		told = append(told, put(fmt.Sprint("old", i)))
		var paths [2]string
		var both sync.WaitGroup
		for j := range paths {
			both.Go(func() { paths[j] = put(fmt.Sprint(j, " of ", i)) })
		}
		both.Wait()
		told = append(told, paths[:]...)
	}
	for _, path := range told {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("told: %v", err)
		}
	}
}
