package main

import (
	"os"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

// role makes the test binary behave as the program itself.
const role = "gobuild"

func TestMain(m *testing.M) {
	os.Exit(testkit.Main(m, &testkit.Options{
		Self: role,
		Roles: map[string]testkit.Role{role: func(args []string) int {
			return run(args, os.Stdout, os.Stderr)
		}},
	}))
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string // what they contain
	}{
		{"-h", exitOK, "cmd/vet", ""},
		{"serve -h", exitOK, "GOCACHEPROG", ""},
		{"stats -h", exitOK, "-json", ""},
		{"verify -help", exitOK, "-rate", ""},
		{"prune -h", exitOK, "-max-bytes", ""},
		{"-nonsense", exitUsage, "", "gobuild -h"},
		{"stats -nonsense", exitUsage, "", "gobuild stats -h"},
		{"stats more", exitUsage, "", `"more"`},
		{"prune", exitUsage, "", "-max-bytes"},
		{"prune -max-bytes many", exitUsage, "", "not a number of bytes"},
		{"stats -dir /does/not/exist", exitFailure, "", "no store"},
		{"serve -idle -1s", exitUsage, "", "-idle is negative"},
		{"stat", exitUsage, "", `unknown command "stat"`},
		{"-json ./...", exitUsage, "", `packages follow "--"`},
		{"-- -o x ./...", exitUsage, "", "-o"},
	} {
		t.Run(c.args, func(t *testing.T) {
			var stdout, stderr strings.Builder
			code := run(strings.Fields(c.args), &stdout, &stderr)
			if code != c.code || !strings.Contains(stdout.String(), c.stdout) ||
				!strings.Contains(stderr.String(), c.stderr) || (code == exitOK) != (stderr.Len() == 0) {
				t.Errorf("code %d, want %d\nstdout: %s\nstderr: %s", code, c.code, &stdout, &stderr)
			}
		})
	}
}

func TestDefaultRootBeginsAsGOCACHE(t *testing.T) {
	user, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	root, err := rootOf("")
	if err != nil || !strings.HasPrefix(root, user+string(os.PathSeparator)+"go-build") {
		t.Errorf("%s, %v", root, err)
	}
}
