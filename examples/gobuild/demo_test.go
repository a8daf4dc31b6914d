package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/internal/testkit"
)

// program prepares this program in a module of its own, whose packages import nothing.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command: ", err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":       "module example.test/m\n\ngo 1.24\n",
		"lib/lib.go":   "package lib\n\nfunc Answer() int { return 42 }\n",
		"use/use.go":   "package use\n\nimport \"example.test/m/lib\"\n\nvar Twice = 2 * lib.Answer()\n",
		"bad/bad.go":   "package bad\n\nvar x int = \"not an int\"\n",
		"main/main.go": "package main\n\nimport \"strconv\"\n\nfunc main() { println(strconv.Itoa(42)) }\n",
	} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		// The go command does not index a package whose files are younger than two seconds.
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	cmd := testkit.Command(t, role, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GOENV=off",
		"GOTOOLCHAIN=local", "TMPDIR="+t.TempDir())
	return cmd
}

func TestDemo(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	cmd := program(t, "-json", "-dir", root, "--", "-v", "./use")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var r result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, &stdout)
	}
	cold, warm := r.ColdCounts, r.WarmCounts
	if r.Packages != 2 || cold.Puts == 0 || cold.Kept != 0 || warm.Gets == 0 || warm.Hits != warm.Gets ||
		r.Store.Entries < 4 || r.Store.Bytes == 0 || r.Larder.Warm.Wall <= 0 || r.Own.Cold.Wall <= 0 {
		t.Errorf("the result: %s", &stdout)
	}
	if r.Compared.Outputs < 4 || len(r.Compared.Different) != 0 {
		t.Errorf("compared: %+v", r.Compared)
	}
	if strings.ContainsAny(stderr.String(), "\r\b") || strings.Count(stderr.String(), "larder, cold") != 1 {
		t.Errorf("progress is not in plain lines: %q", &stderr)
	}
	wantEmpty(t, cmd)
	// The store is kept and can be looked after.
	defer stopBroker(t, root)
	var out strings.Builder
	if code := run([]string{"verify", "-dir", root}, &out, &out); code != exitOK {
		t.Errorf("verify: code %d, %s", code, &out)
	}
}

// For people there is a table on standard output, and progress beside it.
func TestDemoPrintsATable(t *testing.T) {
	cmd := program(t, "--", "./lib")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	for _, want := range []string{"cold", "warm", "Go's own cache", "saved by sharing", "all the same"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, &stdout)
		}
	}
	wantEmpty(t, cmd)
}

// wantEmpty checks that a program has removed what it made in its temporary folder.
func wantEmpty(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	temp := strings.TrimPrefix(cmd.Env[len(cmd.Env)-1], "TMPDIR=")
	if entries, err := os.ReadDir(temp); len(entries) > 0 || err != nil {
		t.Errorf("left in the temporary folder: %v, %v", entries, err)
	}
}

// The exit code is the build's, which says itself what is wrong.
func TestDemoOfFailingBuild(t *testing.T) {
	cmd := program(t, "--", "./bad")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "bad.go:3") {
		t.Errorf("%v\n%s", err, out)
	}
	wantEmpty(t, cmd)
	cmd = program(t, "--", "./none")
	if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestResultTable(t *testing.T) {
	r := result{
		Larder: pair{timing{12.345}, timing{1.5}}, Own: pair{timing{11}, timing{1.25}},
		ColdCounts: counts{Gets: 10, Puts: 9, PutBytes: 12345}, WarmCounts: counts{Gets: 8, Hits: 7, Puts: 1},
		Store: holdings{Files: 6, Bytes: 5e6, Shared: 7e3}, Compared: comparison{Outputs: 9, Programs: 3},
	}
	var b strings.Builder
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"12.35 s", "1.25 s", "5.00 MB in 6 files", "7.00 kB", "9 outputs and 3 programs"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
	if r.code() != exitOK {
		t.Errorf("code %d", r.code())
	}
	r.Compared.differ("action %d", 5)
	b.Reset()
	if err := r.print(&b); err != nil || r.code() != exitFailure || !strings.Contains(b.String(), "1 are DIFFERENT:\n  action 5") {
		t.Errorf("code %d, %v\n%s", r.code(), err, &b)
	}
}

// A store that holds something else than Go's own cache is found out.
func TestCompareFindsDifferences(t *testing.T) {
	own, root := t.TempDir(), t.TempDir()
	fillStore(t, root, time.Now(), 1, 2)
	write := func(action, output string, content []byte) {
		for name, text := range map[string][]byte{
			action + "-a": []byte("v1 " + action + " " + output + " 1 2\n"), output + "-d": content,
		} {
			name = filepath.Join(own, name[:2], name)
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(key(0).String(), "aa", bytes.Repeat([]byte{0}, entrySize))
	write(key(1).String(), "bb", bytes.Repeat([]byte{7}, entrySize))
	write(key(2).String(), "cc", nil)
	c, err := compareStore(t, root, own)
	if err != nil || c.Outputs != 1 || len(c.Different) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := compareStore(t, root, t.TempDir()); err == nil {
		t.Error("nothing to compare with is no error")
	}
}

func compareStore(t *testing.T, root, own string) (c comparison, err error) {
	err = withStore(t.Context(), root, 0, func(s *cache.Store) error {
		return c.outputs(t.Context(), s, own)
	})
	return c, err
}

func TestComparePrograms(t *testing.T) {
	got, want := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		filepath.Join(got, "a"): "same", filepath.Join(want, "a"): "same",
		filepath.Join(got, "b"): "one", filepath.Join(want, "b"): "other",
		filepath.Join(want, "c"): "missing",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var c comparison
	if err := c.programs(got, want); err != nil || c.Programs != 1 || len(c.Different) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}
