//go:build unix

package gocacheprog_test

import (
	"bufio"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// An interrupt goes to every process of the group, as a terminal's does. The go command
// ends early, its cache program does not, and the store is sound.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	g := newGo(t, map[string]string{"lib/lib.go": "package lib\n\nimport _ \"strconv\"\n"})
	seed := g.prog.Seed
	g.prog.Seed = ""
	cmd := g.command(t.Context(), "build", "-v", "-p=1", "./lib")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, held, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	cmd.Stderr = held
	err = cmd.Start()
	held.Close()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for begun := 0; begun < 6; { // when the sixth package begins, five have ended
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
		if !strings.Contains(lines.Text(), " ") { // not what the go command says while it waits
			begun++
		}
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	// The cache program holds the pipe too, and outlives the go command by a little.
	if _, err := io.Copy(io.Discard, stderr); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the go command was not interrupted")
	}
	if r := g.lastReport(); r.Puts == 0 || r.Refused > 0 {
		t.Errorf("the cache program was ended too: %+v", r)
	}
	g.wantSound()
	g.prog.Seed = seed
	g.run("build", "./lib")
}
