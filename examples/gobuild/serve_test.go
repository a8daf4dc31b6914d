package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// goThrough prepares a go command that uses this program as its everyday cache.
func goThrough(t *testing.T, user string, args ...string) *exec.Cmd {
	t.Helper()
	self := program(t)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = self.Dir
	cmd.Env = append(self.Env, "HOME="+user, "XDG_CACHE_HOME="+user, "LocalAppData="+user,
		"GOCACHE=", "GOCACHEPROG="+quote(self.Path)+" serve")
	return cmd
}

// TestServeForgotten has a user forget the word serve: the go command and the user are told at once.
func TestServeForgotten(t *testing.T) {
	cmd := goThrough(t, t.TempDir(), "build", "./lib")
	cmd.Env = append(cmd.Env, "GOCACHEPROG="+quote(program(t).Path))
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), `GOCACHEPROG="gobuild serve"`) {
		t.Errorf("%v\n%s", err, out)
	}
}

// The default root is used, keeps its outputs when the go command would take them, and
// serves the next go command.
func TestServe(t *testing.T) {
	user := t.TempDir()
	root := filepath.Join(user, "go-build-larder")
	for i, want := range []string{"example.test/m/lib\nexample.test/m/use\n", ""} {
		cmd := goThrough(t, user, "build", "-v", "-trimpath", "-o", "use.a", "./use")
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != want {
			t.Fatalf("build %d printed %q, want %q; %v", i, out, want, err)
		}
		if _, err := os.Stat(root); err != nil {
			t.Skip("the user's cache folder is elsewhere: ", err)
		}
	}
	defer stopBroker(t, root)
	var out strings.Builder
	if code := run([]string{"verify", "-dir", root}, &out, &out); code != exitOK || !strings.Contains(out.String(), " 0 damaged") {
		t.Errorf("verify: code %d, %s", code, &out)
	}
}

// While somebody else has the store, the build is right and its user is told once.
func TestServeWithoutTheStore(t *testing.T) {
	user := t.TempDir()
	root := filepath.Join(user, "go-build-larder")
	s, err := cache.Open(t.Context(), root, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	cmd := goThrough(t, user, "build", "./use")
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Count(out, []byte("gobuild: no broker")) != 1 || bytes.Count(out, []byte("gobuild: no store")) != 1 ||
		!bytes.Contains(out, []byte("process")) {
		t.Errorf("%v\n%s", err, out)
	}
	sessions, err := os.ReadDir(filepath.Join(root, "sessions"))
	if err != nil || len(sessions) != 1 {
		t.Errorf("session folders: %v, %v", sessions, err)
	}
}

// A user who has no folder for caches gets a build all the same, and is told what to do.
func TestServeWithoutAFolder(t *testing.T) {
	cmd := goThrough(t, "", "build", "./use")
	cmd.Env = append(cmd.Env, "GOCACHE="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Count(out, []byte("gobuild: no store")) != 1 || !bytes.Contains(out, []byte("-dir")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// The user reads once why there is no broker.
func TestBriefly(t *testing.T) {
	cause := errors.New("no space")
	for log, short := range map[string]bool{"gobuild: no space\n": true, "gobuild: worse\n": false, "": false} {
		err := fmt.Errorf("start: %w", &lifecycle.StartError{Err: cause, Log: log})
		if got := briefly(err); (got == cause) != short {
			t.Errorf("log %q: %v", log, got)
		}
	}
}
