//go:build unix

package main

import (
	"bufio"
	"io"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Ctrl-C ends the demonstration and leaves a valid store, whether the go command gets
// the signal too, as from a terminal, or not.
func TestInterrupt(t *testing.T) {
	for _, c := range []struct {
		name  string
		group int // factor that makes a process id one of a group
	}{{"terminal", -1}, {"program alone", 1}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := filepath.Join(t.TempDir(), "store")
			cmd := program(t, "-dir", root, "--", "-v", "-p=1", "./main")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(stderr)
			var said strings.Builder
			for begun := 0; lines.Scan(); {
				said.WriteString(lines.Text() + "\n")
				if strings.HasPrefix(lines.Text(), "internal/") {
					begun++
				}
				if begun == 6 { // the packages before it have ended
					begun++
					if err := syscall.Kill(c.group*cmd.Process.Pid, syscall.SIGINT); err != nil {
						t.Fatal(err)
					}
				}
			}
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code <= 0 || strings.Contains(said.String(), "warm") {
				t.Errorf("code %d\n%s", code, &said)
			}
			wantEmpty(t, cmd)
			defer stopBroker(t, root)
			var out strings.Builder
			code := run([]string{"verify", "-dir", root}, &out, &out)
			if code != exitOK || strings.HasPrefix(out.String(), "0 outputs") {
				t.Errorf("verify: code %d, %s", code, &out)
			}
		})
	}
}

// TestAbandoned has a demonstration lose its terminal, or whoever reads what it says: it removes its files all the same.
func TestAbandoned(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("the end of a terminal is ignored here")
	}
	for name, end := range map[string]func(*exec.Cmd, io.Closer){
		"terminal": func(cmd *exec.Cmd, _ io.Closer) { cmd.Process.Signal(syscall.SIGHUP) },
		"reader":   func(_ *exec.Cmd, stderr io.Closer) { stderr.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := program(t, "--", "./lib")
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := stderr.Read(make([]byte, 1)); err != nil {
				t.Error(err)
			}
			end(cmd, stderr)
			if err := cmd.Wait(); err == nil {
				t.Error("it has ended well")
			}
			wantEmpty(t, cmd)
		})
	}
}
