package ipc_test

import (
	"os"
	"testing"

	"github.com/larderbuild/larder/ipc/internal/filelock"
)

// hold locks a file until the test or the function that it returns ends that.
func hold(t testing.TB, path string) (free func()) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := filelock.Try(f); err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}
