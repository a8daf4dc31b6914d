//go:build long

package main

import (
	"bufio"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

// A broker that is killed in the middle of a build, or gives way to that of a newer build of the program, takes
// nothing with it but what it held.
func TestBuildOutlivesBroker(t *testing.T) {
	for name, end := range map[string]func(*testing.T, string){
		"killed":   killBroker,
		"upgraded": func(t *testing.T, root string) { joinBroker(t, root).Release() },
	} {
		t.Run(name, func(t *testing.T) { buildOutlives(t, end) })
	}
}

func buildOutlives(t *testing.T, end func(t *testing.T, root string)) {
	self := program(t)
	self.Path = olderBuild(t, self.Path)
	root := filepath.Join(t.TempDir(), "store")
	defer stopBroker(t, root)
	cmd := buildThrough(self, root, "build", "-v", "-p=1", "-o", filepath.Join(t.TempDir(), "main"), "./main")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(stderr)
	for n := 1; lines.Scan(); n++ {
		said.WriteString(lines.Text() + "\n")
		if n == 6 {
			end(t, root)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &said)
	}
	if strings.Contains(said.String(), "gobuild: ") {
		t.Errorf("the user hears of it:\n%s", &said)
	}
	var out strings.Builder
	if code := run([]string{"verify", "-dir", root}, &out, &out); code != exitOK {
		t.Errorf("verify: code %d, %s", code, &out)
	}
}

// killBroker ends the broker of root as a full memory would.
func killBroker(t *testing.T, root string) {
	t.Helper()
	ep, err := endpoint(root)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ipc.DialConn(t.Context(), ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := kill(t.Context(), s.Process); err != nil {
		t.Fatal(err)
	}
}
