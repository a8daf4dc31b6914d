package lifecycle_test

import (
	"testing"

	"github.com/larderbuild/larder/ipc/lifecycle"
)

// TestFindExecutableExtension completes a name that has no extension, and no other.
func TestFindExecutableExtension(t *testing.T) {
	dir := t.TempDir()
	tool := writeProgram(t, dir, "tool.exe", 0o700)
	script := writeProgram(t, dir, "script.bat", 0o700)
	o := &lifecycle.FindOptions{Dirs: []string{dir}}
	for name, want := range map[string]string{
		"tool": tool, "tool.exe": tool, "script.bat": script, "script": "", "tool.": "",
	} {
		if got, err := lifecycle.FindExecutable(name, o); got != want {
			t.Errorf("%s: found %q, %v; want %q", name, got, err, want)
		}
	}
}
