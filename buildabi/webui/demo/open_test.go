//go:build unix

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fakeBrowser puts a program on PATH that writes what it is asked to open to one pipe, and then
// stays, as a browser may, until there is something in another. It returns the folder of both.
func fakeBrowser(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\ntouch " + dir + "/called\necho \"$1\" > " + dir + "/asked\nread _ < " + dir + "/leave\n"
	must(t, os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o777),
		syscall.Mkfifo(filepath.Join(dir, "asked"), 0o666), syscall.Mkfifo(filepath.Join(dir, "leave"), 0o666))
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return dir
}

// TestOpen shows that the browser is asked for the page, which is served while the browser stays.
func TestOpen(t *testing.T) {
	dir := fakeBrowser(t)
	address, stop := start(t, "-open", "-replay", recordings+"plain-0.16.0.jsonl.gz")
	asked, err := os.ReadFile(filepath.Join(dir, "asked"))
	if must(t, err); string(asked) != address+"\n" {
		t.Errorf("asked for %q, not %s", asked, address)
	}
	if page := body(t, address); !strings.Contains(page, "Rebuild") {
		t.Errorf("the page is %q", page)
	}
	must(t, os.WriteFile(filepath.Join(dir, "leave"), []byte("\n"), 0o666))
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestOpenUnasked shows that no browser is opened unless that is asked for.
func TestOpenUnasked(t *testing.T) {
	dir := fakeBrowser(t)
	address, stop := start(t, "-replay", recordings+"plain-0.16.0.jsonl.gz")
	body(t, address)
	stop()
	if _, err := os.Stat(filepath.Join(dir, "called")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("called: %v", err)
	}
}
