package gocacheprog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

const oldSession = gocacheprog.SessionPrefix + "123"

func makeFile(t *testing.T, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("body"), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// later is when what a test makes now is old enough.
func later() time.Time { return time.Now().Add(24*time.Hour + time.Second) }

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

func TestSweepRemovesOldSessions(t *testing.T) {
	parent := t.TempDir()
	kept := makeFile(t, parent, oldSession, "1")
	makeFile(t, parent, oldSession, "2")
	if err := gocacheprog.Sweep(t.Context(), parent, later().Add(-time.Minute)); err != nil || !exists(kept) {
		t.Fatalf("a session of less than a day: exists %v, %v", exists(kept), err)
	}
	if err := gocacheprog.Sweep(t.Context(), parent, later()); err != nil || exists(filepath.Dir(kept)) {
		t.Errorf("after a day: exists %v, %v", exists(filepath.Dir(kept)), err)
	}
	if err := gocacheprog.Sweep(t.Context(), filepath.Join(parent, "none"), later()); err != nil {
		t.Errorf("no folder: %v", err)
	}
}

func TestSweepLeavesWhatIsNotOurs(t *testing.T) {
	parent, elsewhere := t.TempDir(), t.TempDir()
	precious := makeFile(t, elsewhere, "1")
	keep := []string{
		precious,
		makeFile(t, parent, gocacheprog.SessionPrefix+"123x", "1"),
		makeFile(t, parent, gocacheprog.SessionPrefix, "1"),
		makeFile(t, parent, "other", "1"),
		makeFile(t, parent, gocacheprog.SessionPrefix+"4"),
		makeFile(t, parent, gocacheprog.SessionPrefix+"5", "name"),
		makeFile(t, parent, gocacheprog.SessionPrefix+"6", "1", "2"),
	}
	for _, link := range []string{
		filepath.Join(parent, gocacheprog.SessionPrefix+"7"),
		filepath.Join(parent, gocacheprog.SessionPrefix+"8", "1"),
	} {
		os.MkdirAll(filepath.Dir(link), 0o755)
		if err := os.Symlink(elsewhere, link); err != nil || !exists(link) {
			t.Skip("no symbolic links here: ", err)
		}
		keep = append(keep, link)
	}
	if err := gocacheprog.Sweep(t.Context(), parent, later()); err != nil {
		t.Error(err)
	}
	for _, name := range keep {
		if !exists(name) {
			t.Errorf("%s is gone", name)
		}
	}
}

// makeOld dates a folder back to before the time that sessions are kept.
func makeOld(t *testing.T, dir string) {
	t.Helper()
	old := time.Now().Add(-gocacheprog.KeepFor - time.Hour)
	if err := os.Chtimes(dir, old, old); err != nil {
		t.Fatal(err)
	}
}

func TestLaterSessionSweeps(t *testing.T) {
	sessions := t.TempDir()
	old := makeFile(t, sessions, oldSession, "1")
	makeOld(t, filepath.Dir(old))
	c := begin(t, gocacheprog.Opened(dirStore{t.TempDir()}), gocacheprog.Options{Sessions: sessions})
	if err := c.end(); err != nil {
		t.Error(err)
	}
	if exists(old) {
		t.Error("the old session is still there")
	}
}

// The day that a session's bodies are kept begins with its end, whenever the last came.
func TestSessionIsRenewedAtItsEnd(t *testing.T) {
	open := func(context.Context) (gocacheprog.Store, error) { return nil, errBroken }
	c := begin(t, open, gocacheprog.Options{Sessions: t.TempDir()})
	kept := c.put(action(1), content(5)).DiskPath
	makeOld(t, filepath.Dir(kept))
	if err := c.end(); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Dir(kept))
	if err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("the session's folder: %v, %v", info, err)
	}
}

func TestSweepEndsWithItsContext(t *testing.T) {
	parent := t.TempDir()
	name := makeFile(t, parent, oldSession, "1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := gocacheprog.Sweep(ctx, parent, later()); err != nil || !exists(name) {
		t.Errorf("exists %v, %v", exists(name), err)
	}
}

// TestSweepAmongMany has session folders in one with more names than are read at a time.
func TestSweepAmongMany(t *testing.T) {
	parent := t.TempDir()
	for i := range 2 * 4096 {
		if err := os.WriteFile(filepath.Join(parent, fmt.Sprint("other", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		if err := os.Mkdir(filepath.Join(parent, fmt.Sprint(gocacheprog.SessionPrefix, i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := gocacheprog.Sweep(t.Context(), parent, later()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 2*4096 {
		t.Errorf("%d names are left, %v", len(entries), err)
	}
}
