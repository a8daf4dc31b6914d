package ipc_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

// shortDir is a folder whose path is short enough for sockets, which the one of the testing
// package need not be.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ipc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newEndpoint(t testing.TB, scope ...string) ipc.Endpoint {
	t.Helper()
	ep, err := ipc.NewEndpointIn(shortDir(t), scope...)
	if err != nil {
		t.Fatal(err)
	}
	return ep
}

// plain are the characters of names.
const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

func TestEndpointNames(t *testing.T) {
	dir := shortDir(t)
	seen := map[string][]string{}
	for _, scope := range [][]string{
		nil, {""}, {"", ""}, {"a"}, {"a", "b"}, {"ab"}, {"a:b"}, {"1:a"}, {"b", "a"}, {"a", "b", ""},
		{"a", "b:c"}, {"a", "b", "c"}, {"../../etc"}, {"A"}, {strings.Repeat("x", 5000)}, {strings.Repeat("x", 5001)}, {"ä/\\\x00"},
	} {
		ep, err := ipc.NewEndpointIn(dir, scope...)
		if err != nil {
			t.Fatalf("scope %q: %v", scope, err)
		}
		if again, _ := ipc.NewEndpointIn(dir, scope...); again != ep {
			t.Errorf("scope %q: %v, then %v", scope, ep, again)
		}
		if other := seen[ep.String()]; other != nil {
			t.Errorf("scopes %q and %q have one endpoint", scope, other)
		}
		seen[ep.String()] = append(scope, "named")
		if got := filepath.Dir(ep.Beside(".log")); got != dir {
			t.Errorf("scope %q: its files lie in %s, not in %s", scope, got, dir)
		}
		if name := filepath.Base(ep.Beside("")); strings.Trim(name, plain) != "" || len(name) > 24+1+26 {
			t.Errorf("scope %q: its files are named %q", scope, name)
		}
	}
}

func TestEndpointOfUser(t *testing.T) {
	a, err := ipc.NewEndpoint("test", "a")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", shortDir(t))
	t.Setenv("XDG_RUNTIME_DIR", shortDir(t))
	b, err := ipc.NewEndpoint("test", "a")
	if err != nil || a != b {
		t.Errorf("with another environment: %v instead of %v, %v", b, a, err)
	}
}

func TestEndpointFolderMade(t *testing.T) {
	dir := filepath.Join(shortDir(t), "new")
	if _, err := ipc.NewEndpointIn(dir, "a"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		t.Errorf("folder: %v, %v", info, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ipc.NewEndpointIn(file, "a"); err == nil {
		t.Error("a file was taken for a folder")
	}
	if _, err := ipc.NewEndpointIn(filepath.Join(file, "below"), "a"); err == nil {
		t.Error("a folder was made below a file")
	}
}

func TestErrFolderIs(t *testing.T) {
	file := filepath.Join(shortDir(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ipc.NewEndpointIn(file)
	if _, ok := errors.AsType[*os.PathError](err); !ok {
		t.Errorf("error without a path: %v", err)
	}
}

// TestEndpointFolderUnset names no folder, as a flag that was not given does: the current one is
// not meant.
func TestEndpointFolderUnset(t *testing.T) {
	dir := shortDir(t)
	t.Chdir(dir)
	ep, err := ipc.NewEndpointIn("", "a")
	if !errors.Is(err, ipc.ErrFolder) || ep != (ipc.Endpoint{}) {
		t.Errorf("%v, %v", ep, err)
	}
	ep, err = ipc.NewEndpointIn(".", "a")
	if got := filepath.Base(filepath.Dir(ep.Beside(""))); err != nil || got != filepath.Base(dir) {
		t.Errorf("the current folder by its name: %v, %v", ep, err)
	}
}

// TestZeroEndpoint uses what names nothing: the current folder stays as it is, files that look like ours too.
func TestZeroEndpoint(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(".t80000000", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err1 := ipc.Dial(t.Context(), ipc.Endpoint{}, nil)
	_, err2 := ipc.Endpoint{}.Dial(t.Context())
	_, err3 := ipc.Listen(ipc.Endpoint{}, nil)
	_, err4 := ipc.Listen(ipc.Endpoint{}, &ipc.ListenOptions{Owned: true})
	for i, err := range []error{err1, err2, err3, err4} {
		if err == nil || !strings.Contains(err.Error(), "names nothing") {
			t.Errorf("use %d: %v", i, err)
		}
	}
	if entries, err := os.ReadDir(dir); len(entries) != 1 || err != nil {
		t.Errorf("in the current folder: %v, %v", entries, err)
	}
}
