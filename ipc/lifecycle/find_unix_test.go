//go:build unix

package lifecycle_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

func TestFindExecutableMode(t *testing.T) {
	dir := t.TempDir()
	writeProgram(t, dir, "tool", 0o600)
	o := &lifecycle.FindOptions{Dirs: []string{dir}}
	_, err := lifecycle.FindExecutable("tool", o)
	if err == nil || !strings.Contains(err.Error(), "may not be executed") {
		t.Errorf("found a file that may not be executed: %v", err)
	}
}

// TestFindExecutableThroughLink starts this program by a symbolic link: what lies beside the
// program counts, not what lies beside the link.
func TestFindExecutableThroughLink(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	writeProgram(t, filepath.Dir(link), filepath.Base(self), 0o700)
	cmd := testkit.Command(t, "finder", filepath.Base(self))
	cmd.Path = link
	out, err := cmd.Output()
	real, _ := filepath.EvalSymlinks(self)
	if got := strings.TrimSpace(string(out)); got != real || err != nil {
		t.Errorf("found %q, %v; want %q", got, err, real)
	}
}
