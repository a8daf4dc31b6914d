package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// buildThrough prepares a go command of one module whose cache program is this one.
func buildThrough(self *exec.Cmd, root string, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir = self.Dir
	cmd.Env = append(slices.Clip(self.Env), "GOCACHE="+filepath.Join(filepath.Dir(root), "gocache"),
		"GOCACHEPROG="+quote(self.Path)+" serve -dir "+quote(root))
	return cmd
}

// Go commands at the same time share the store, and nobody is told that he has to do without.
func TestBuildsAtOnce(t *testing.T) {
	self := program(t)
	root := filepath.Join(t.TempDir(), "store")
	defer stopBroker(t, root)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			out, err := buildThrough(self, root, "build", "./use").CombinedOutput()
			if err != nil || len(out) > 0 {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	group.Wait()
	out, err := buildThrough(self, root, "build", "-v", "./use").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("the build after them built again: %v\n%s", err, out)
	}
}
