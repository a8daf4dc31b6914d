//go:build linux

package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

// TestNoPermission opens a root of another user in a child with a user id of its own: root may do everything.
func TestNoPermission(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become another user")
	}
	dir, err := os.MkdirTemp("", "larder-permission")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(t.Context()), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := testkit.Command(t, "stranger", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	exe, err := os.CreateTemp("", "larder-stranger")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(exe.Name())
	b, err := os.ReadFile(cmd.Path)
	if err == nil {
		_, err = exe.Write(b)
	}
	if err := errors.Join(err, exe.Chmod(0o755), exe.Close()); err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Dir = exe.Name(), "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// playStranger opens a root that it may not write. Args: root.
func playStranger(args []string) int {
	_, err := Open(context.Background(), args[0], nil)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "must belong to this user") {
		fmt.Println("open:", err)
		return 1
	}
	return 0
}
