package gocacheprog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/internal/testkit"
)

// goCommand runs the go command that is on the path, in a module of its own, with the
// test binary as its cache program.
type goCommand struct {
	t    *testing.T
	dir  string // of the module
	env  []string
	prog program
	file string // where prog is passed
}

// ownCache is the GOCACHE folder of the user.
var ownCache = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	return strings.TrimSpace(string(out)), err
})

// newGo makes a module of files, by name, and an empty store below a path that begins as
// GOCACHE does.
func newGo(t *testing.T, files map[string]string) *goCommand {
	t.Helper()
	seed, err := ownCache()
	if err != nil {
		t.Skip("no go command: ", err)
	}
	temp := t.TempDir()
	g := &goCommand{
		t: t, dir: filepath.Join(temp, "module"), file: filepath.Join(temp, "program.json"),
		prog: program{Dir: filepath.Join(temp, "gocache-larder"), Seed: seed},
	}
	g.env = append(os.Environ(),
		"GOCACHE="+filepath.Join(temp, "gocache"), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off",
		"GOENV=off", "GOTOOLCHAIN=local", "GO111MODULE=on", "GOBIN="+filepath.Join(temp, "bin"),
		"GOMODCACHE="+filepath.Join(temp, "modcache"),
	)
	g.write("go.mod", "module example.test/m\n\ngo 1.24\n")
	for name, text := range files {
		g.write(name, text)
	}
	return g
}

func (g *goCommand) path(name string) string { return filepath.Join(g.dir, filepath.FromSlash(name)) }

func (g *goCommand) write(name, text string) {
	g.t.Helper()
	if err := os.MkdirAll(filepath.Dir(g.path(name)), 0o755); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(g.path(name), []byte(text), 0o644); err != nil {
		g.t.Fatal(err)
	}
	// The go command does not index a package whose files are younger than two seconds:
	// what it asks for would depend on how fast the test is.
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(g.path(name), old, old); err != nil {
		g.t.Fatal(err)
	}
}

// command makes a go command that has not been started.
func (g *goCommand) command(ctx context.Context, args ...string) *exec.Cmd {
	g.t.Helper()
	text, err := json.Marshal(g.prog)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(g.file, text, 0o600); err != nil {
		g.t.Fatal(err)
	}
	role := testkit.Command(g.t, cacheRole) // for its path and its variable
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = g.dir
	cmd.Env = append(slices.Clip(g.env), role.Env[len(role.Env)-1], "GOCACHEPROG="+role.Path+" "+g.file)
	return cmd
}

// try runs the go command to its end and returns what it printed on standard output.
func (g *goCommand) try(args ...string) (string, error) {
	g.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := g.command(g.t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if stderr.Len() > 0 {
		g.t.Logf("go %s:\n%s", strings.Join(args, " "), &stderr)
	}
	return stdout.String(), err
}

// run demands that the go command succeeds.
func (g *goCommand) run(args ...string) string {
	g.t.Helper()
	out, err := g.try(args...)
	if err != nil {
		g.t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// reports are what the cache programs have counted, one for each go command. Those
// that were started by another cache program's go command come first.
func (g *goCommand) reports() (list []report) {
	g.t.Helper()
	text, err := os.ReadFile(g.file + ".reports")
	if err != nil {
		g.t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var r report
		if err := json.Unmarshal(line, &r); err != nil {
			g.t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

func (g *goCommand) lastReport() report {
	g.t.Helper()
	list := g.reports()
	return list[len(list)-1]
}

// wantWarm checks that the last go command found what it needed. It asks in vain for the
// link and puts nothing or something empty for it, each time again.
func (g *goCommand) wantWarm() {
	g.t.Helper()
	if r := g.lastReport(); r.Gets == 0 || r.Gets-r.Hits > 3 || r.Puts > 3 || r.Kept+r.Refused > 0 {
		g.t.Errorf("the build was not warm: %+v", r)
	}
}

// wantSound checks that everything in the store is what was put.
func (g *goCommand) wantSound() {
	g.t.Helper()
	s, err := cache.Open(g.t.Context(), g.prog.Dir, &cache.Options{LockWait: -1, Reserve: -1})
	if err != nil {
		g.t.Fatal(err)
	}
	defer s.Close(g.t.Context())
	rep, err := s.Verify(g.t.Context(), nil)
	if err != nil || rep.Corrupt > 0 || rep.Entries == 0 {
		g.t.Errorf("the store: %+v, %v", rep, err)
	}
}

// sameBinary checks that a program is byte for byte what the go command makes without a
// cache program, with the same arguments.
func (g *goCommand) sameBinary(name string, args ...string) {
	g.t.Helper()
	seed, err := ownCache()
	if err != nil {
		g.t.Fatal(err)
	}
	own := g.path(name + ".own")
	cmd := exec.CommandContext(g.t.Context(), "go", append([]string{"build", "-o", own}, args...)...)
	cmd.Dir, cmd.Env = g.dir, append(slices.Clip(g.env), "GOCACHEPROG=", "GOCACHE="+seed)
	if out, err := cmd.CombinedOutput(); err != nil {
		g.t.Fatalf("%v\n%s", err, out)
	}
	if got, want := g.read(name), g.read(name+".own"); !bytes.Equal(got, want) {
		g.t.Errorf("%s is not what Go's own cache gives: %d and %d bytes", name, len(got), len(want))
	}
}

// read returns the bytes of a file, whose name is that of the module or absolute.
func (g *goCommand) read(name string) []byte {
	g.t.Helper()
	if !filepath.IsAbs(name) {
		name = g.path(name)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		g.t.Error(err)
	}
	return b
}
