//go:build long

package main

import (
	"bufio"
	"path/filepath"
	"strings"
	"testing"
)

// A broker that is killed in the middle of a build takes nothing with it but what it held.
func TestBuildOutlivesBroker(t *testing.T) {
	self := program(t)
	root := filepath.Join(t.TempDir(), "store")
	defer stopBroker(t, root)
	cmd := buildThrough(self, root, "build", "-v", "-o", filepath.Join(t.TempDir(), "main"), "./main")
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
			killBroker(t, root)
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
	r, err := newReach(root, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	if err := kill(t.Context(), b.c.Info().Process); err != nil {
		t.Fatal(err)
	}
}
