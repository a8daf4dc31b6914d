//go:build unix

package ipc_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

func TestEndpointFolderRefused(t *testing.T) {
	for _, c := range []struct {
		name, want string
		make       func(dir string) error
	}{
		{"private", "", func(dir string) error { return os.Mkdir(dir, 0o700) }},
		{"readable", "", func(dir string) error { return os.Mkdir(dir, 0o755) }},
		{"file", "not a folder", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }},
		{"link", "symbolic link", func(dir string) error { return os.Symlink(filepath.Dir(dir), dir) }},
		{"dangling link", "symbolic link", func(dir string) error { return os.Symlink("nowhere", dir) }},
		{"group", "others may write", func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o770))
		}},
		{"world", "others may write", func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o1777))
		}},
		{"foreign", "another user", func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, os.Getuid()+1, -1))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(shortDir(t), "e")
			if err := c.make(dir); errors.Is(err, os.ErrPermission) {
				t.Skip("only root may do that:", err)
			} else if err != nil {
				t.Fatal(err)
			}
			_, err := ipc.NewEndpointIn(dir, "a")
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && !errors.Is(err, ipc.ErrFolder):
				t.Errorf("error %v is no ErrFolder", err)
			case c.want != "" && !strings.Contains(err.Error(), c.want):
				t.Errorf("error %q does not say %q", err, c.want)
			}
		})
	}
}

// TestEndpointFolderChanged replaces the folder by a foreign one after the endpoint was named.
func TestEndpointFolderChanged(t *testing.T) {
	ep := newEndpoint(t, "a")
	if err := os.Chmod(filepath.Dir(ep.String()), 0o777); err != nil {
		t.Fatal(err)
	}
	if l, err := ipc.Listen(ep, nil); !errors.Is(err, ipc.ErrFolder) {
		t.Errorf("listen in a folder that is open to all: %v, %v", l, err)
	}
}

func TestEndpointLength(t *testing.T) {
	base := shortDir(t)
	var longest int
	for n := 1; n < 120; n++ {
		dir := filepath.Join(base, strings.Repeat("d", n))
		ep, err := ipc.NewEndpointIn(dir, strings.Repeat("scope", 20))
		if err != nil { // 60 bytes of a path are always fine
			if !errors.Is(err, syscall.ENAMETOOLONG) || len(dir) <= 60 {
				t.Fatalf("folder of %d bytes: %v", len(dir), err)
			}
			continue
		}
		longest = max(longest, len(ep.String()))
		l, err := ipc.Listen(ep, nil)
		if err != nil {
			t.Fatalf("folder of %d bytes: %v", len(dir), err)
		}
		l.Close()
	}
	if want := 100 - len(".t12345678") + len(".sock"); longest != want {
		t.Errorf("the longest path of a socket has %d bytes, want %d", longest, want)
	}
}

// TestEndpointFolder holds where the endpoints of a user lie, and what permissions a new folder has.
func TestEndpointFolder(t *testing.T) {
	ep, err := ipc.NewEndpoint("larder test/x", "b")
	if err != nil {
		t.Fatal(err)
	}
	if want := "/tmp/larder-" + strconv.Itoa(os.Getuid()) + "/x-"; !strings.HasPrefix(ep.String(), want) {
		t.Errorf("the endpoint is %v, want %s...", ep, want)
	}
	defer syscall.Umask(syscall.Umask(0)) // which would leave it open to all
	dir := filepath.Join(shortDir(t), "new")
	if _, err := ipc.NewEndpointIn(dir, "a"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(dir); err != nil || info.Mode() != os.ModeDir|0o700 {
		t.Errorf("the new folder is %v, %v", info.Mode(), err)
	}
}

// TestReadOnlyFolder has a folder of this user that it may not write to.
func TestReadOnlyFolder(t *testing.T) {
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	check := func() {
		ep, err := ipc.NewEndpointIn(dir, "a")
		if err != nil {
			t.Error(err)
		}
		if l, err := ipc.Listen(ep, nil); !errors.Is(err, os.ErrPermission) {
			t.Errorf("listen: %v, %v", l, err)
		}
		if _, err := ep.Dial(t.Context()); !errors.Is(err, ipc.ErrNotRunning) {
			t.Errorf("dial: %v", err)
		}
	}
	if os.Getuid() != 0 {
		check()
		return
	}
	if err := os.Chown(dir, nobody, -1); err != nil { // root may write anywhere
		t.Fatal(err)
	}
	asNobody(check)
}
