package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		"/a/b":         "/a/b",
		"/with a/b":    `"/with a/b"`,
		`C:\dir\b.exe`: `C:\dir\b.exe`,
		"it's":         `"it's"`,
		`"quoted"`:     `'"quoted"'`,
	} {
		if got := quote(word); got != want {
			t.Errorf("%s is quoted as %s, want %s", word, got, want)
		}
	}
}

func TestExitCode(t *testing.T) {
	if code := exitCode(io.EOF); code != exitFailure {
		t.Errorf("any error: code %d", code)
	}
	err := goError(exec.Command("go", "no-such-command").Run(), "go")
	if _, ok := errors.AsType[*exec.ExitError](err); !ok {
		t.Skip(err)
	}
	if code := exitCode(errors.Join(err, io.EOF)); code != 2 {
		t.Errorf("a go command with a bad command line: code %d, want 2", code)
	}
	if err := goError(nil, "go"); err != nil {
		t.Error(err)
	}
}

// TestForgetProgram has a user who has said "go env -w GOCACHEPROG=..." see the demonstration with all else that is set.
func TestForgetProgram(t *testing.T) {
	settings := filepath.Join(t.TempDir(), "env")
	absent := filepath.Join(t.TempDir(), "absent")
	t.Setenv("GOENV", settings)
	t.Setenv("GOCACHEPROG", "")
	t.Setenv("GOOS", "")
	for text, want := range map[string]string{
		"": "", "GOOS=plan9\n": "plan9", "GOCACHEPROG=" + absent + "\nGOOS=plan9\n": "plan9",
	} {
		if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := findGo(io.Discard)
		if err != nil {
			t.Skip(err)
		}
		err = g.forgetProgram(t.Context(), t.TempDir())
		out, err2 := g.command(t.Context(), nil, "env", "GOCACHEPROG", "GOOS").Output()
		if err != nil || err2 != nil || strings.Contains(string(out), absent) || !strings.Contains(string(out), want) {
			t.Errorf("with %q: %q, %v, %v", text, out, err, err2)
		}
		if kept, err := os.ReadFile(settings); string(kept) != text || err != nil {
			t.Errorf("the settings are %q now, %v", kept, err)
		}
	}
}

func TestResolve(t *testing.T) {
	dir := program(t).Dir
	t.Chdir(dir)
	g, err := findGo(io.Discard)
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		args     []string
		packages int // at least
		programs bool
		ok       bool
	}{
		{[]string{"./use"}, 2, false, true},
		{[]string{"-v", "-trimpath", "./main", "./lib"}, 10, true, true},
		{[]string{"-C", "main", "-v", "."}, 10, true, true},
		{[]string{"-C=use", "."}, 2, false, true},
		{[]string{"--C=use", "."}, 2, false, true},
		{[]string{"./none"}, 0, false, false},
		{[]string{"-C"}, 0, false, false},
	} {
		got, err := g.resolve(t.Context(), target{args: c.args})
		if (err == nil) != c.ok || got.packages < c.packages || got.programs != c.programs {
			t.Errorf("%q: %+v, %v", c.args, got, err)
		}
	}
}

func TestNewTarget(t *testing.T) {
	for _, args := range [][]string{{"-o", "x", "./use"}, {"./use", "-o=x"}, {"--o", "x"}} {
		if _, err := newTarget(args); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
	for _, args := range [][]string{{"o"}, {"-race", "./..."}, {"-overlay", "o=1"}, nil} {
		if got, err := newTarget(args); err != nil || len(got.args) != len(args) {
			t.Errorf("%q: %+v, %v", args, got, err)
		}
	}
}
