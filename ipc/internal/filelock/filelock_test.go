package filelock_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc/internal/filelock"
)

func TestMain(m *testing.M) {
	os.Exit(testkit.Main(m, &testkit.Options{Roles: map[string]testkit.Role{"holder": playHolder}}))
}

// playHolder holds the lock of a file until it is killed.
func playHolder(args []string) int {
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err == nil {
		err = filelock.Try(f)
	}
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		return 1
	}
	os.Stdout.WriteString("held\n")
	os.Stdin.Read(make([]byte, 1))
	f.Close()
	return 0
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if filelock.Held(path) {
		t.Error("a file that is not there is held")
	}
	a, b := open(t, path), open(t, path)
	if filelock.Held(path) {
		t.Error("held by nobody")
	}
	if err := filelock.Try(a); err != nil {
		t.Fatal(err)
	}
	if err := filelock.Try(b); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("second lock: %v", err)
	}
	if !filelock.Held(path) {
		t.Error("not held")
	}
	record := make([]byte, 4)
	if _, err := a.WriteAt([]byte("mine"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReadAt(record, 0); err != nil || string(record) != "mine" {
		t.Errorf("record of the holder: %q, %v", record, err)
	}
	a.Close()
	if filelock.Held(path) {
		t.Error("held after close")
	}
	if err := filelock.Try(b); err != nil {
		t.Errorf("lock after close: %v", err)
	}
}

func TestLockDiesWithProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	f := open(t, path)
	holder := testkit.Start(t, "holder", path)
	if line, err := holder.Out.ReadString('\n'); line != "held\n" {
		t.Fatal(line, err)
	}
	if err := filelock.Try(f); !errors.Is(err, filelock.ErrHeld) || !filelock.Held(path) {
		t.Errorf("lock that another process holds: %v", err)
	}
	holder.Kill()
	if err := filelock.Try(f); err != nil {
		t.Errorf("lock after the holder was killed: %v", err)
	}
}
