package lifecycle_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/ipc/lifecycle"
)

// TestEnsurePermission has a folder in which this user may not look, or write: nothing is started.
func TestEnsurePermission(t *testing.T) {
	for name, mode := range map[string]fs.FileMode{"no access": 0, "read-only": 0o555} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, "1")
			dir := filepath.Dir(h.ep.Beside(""))
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
			var err error
			asNobody(t, func() {
				_, err = lifecycle.Ensure(t.Context(), h.ep, h.options())
				if _, err := lifecycle.Stop(t.Context(), h.ep, nil); !errors.Is(err, fs.ErrPermission) {
					t.Errorf("stop: %v", err)
				}
				if _, err := lifecycle.Claim(t.Context(), h.ep, nil); !errors.Is(err, fs.ErrPermission) {
					t.Errorf("claim: %v", err)
				}
			})
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if !errors.Is(err, fs.ErrPermission) || len(h.events) > 0 {
				t.Errorf("ensure: %v, events %+v", err, h.events)
			}
		})
	}
}

// TestFindExecutableOfOther passes over a program that only somebody else may execute.
func TestFindExecutableOfOther(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("all files here are this user's")
	}
	a, b := t.TempDir(), t.TempDir()
	if err := os.Chmod(filepath.Dir(a), 0o755); err != nil { // so that nobody finds the two
		t.Fatal(err)
	}
	writeProgram(t, a, "tool", 0o700)
	want := writeProgram(t, b, "tool", 0o755)
	asNobody(t, func() {
		got, err := lifecycle.FindExecutable("tool", &lifecycle.FindOptions{Dirs: []string{a, b}})
		if got != want || err != nil {
			t.Errorf("found %q, %v; want %q", got, err, want)
		}
	})
}

// asNobody runs f without root's right to open everything. The right is a thread's own.
func asNobody(t *testing.T, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if os.Getuid() == 0 {
		syscall.Setfsuid(65534)
		defer syscall.Setfsuid(0)
	}
	f()
}
