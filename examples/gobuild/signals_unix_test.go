//go:build unix

package main

import (
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

// putHello is a put of five bytes.
const putHello = `{"ID":1,"Command":"put","ActionID":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",` +
	`"OutputID":"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=","BodySize":5}` + "\n\n\"aGVsbG8=\"\n"

// What ends a serving process is the end of its input, and nothing that a terminal sends.
func TestServeIgnoresSignals(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	defer stopBroker(t, root)
	child := testkit.Start(t, role, "serve", "-dir", root)
	if _, err := child.Out.ReadString('\n'); err != nil { // the announcement
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if err := child.Cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(child.In, putHello); err != nil {
		t.Fatal(err)
	}
	if answer, err := child.Out.ReadString('\n'); err != nil || !strings.Contains(answer, "DiskPath") {
		t.Errorf("answered %q, %v", answer, err)
	}
	if err := child.Wait(); err != nil {
		t.Errorf("%v\n%s", err, child.Stderr())
	}
}

// A go command that has been killed reads no answers: the store is closed nevertheless.
func TestServeOutlivesTheGoCommand(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	defer stopBroker(t, root)
	cmd := testkit.Command(t, role, "serve", "-dir", root)
	cmd.Stdin = strings.NewReader(putHello + putHello)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := stdout.Close(); err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != exitFailure || stderr.Len() > 0 {
		t.Errorf("ended with %v, want exit code %d and no word: %q", err, exitFailure, &stderr)
	}
	var out strings.Builder
	if code := run([]string{"stats", "-dir", root}, &out, &out); code != exitOK || !strings.Contains(out.String(), "1 in 1 files") {
		t.Errorf("stats: code %d, %s", code, &out)
	}
}
