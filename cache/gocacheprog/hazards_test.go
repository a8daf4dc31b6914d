package gocacheprog_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever is wrong with the cache, the build is right.
func TestGoBuildSurvives(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(*goCommand)
	}{
		{"failing store", func(g *goCommand) { g.prog.FailGets, g.prog.FailPuts = true, true }},
		{"failing gets", func(g *goCommand) { g.prog.FailGets = true }},
		{"failing puts", func(g *goCommand) { g.prog.FailPuts = true }},
		{"junk in the input", func(g *goCommand) { g.prog.Junk = true }},
		{"root is a file", func(g *goCommand) { g.prog.Dir = g.path("go.mod") }},
		{"files gone before the answer", func(g *goCommand) { g.prog.RemoveEvery = 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGo(t, plain)
			g.prog.Seed = ""
			c.spoil(g)
			for range 2 {
				g.run("build", "./use", "./lib")
				g.run("vet", "./use", "./lib")
			}
			for i, r := range g.reports() {
				if r.Refused > 0 {
					t.Errorf("run %d: puts were refused: %+v", i, r)
				}
			}
		})
	}
}

// A payload that goes right after its path was answered may fail that build; the next
// one repairs it.
func TestGoBuildRepairs(t *testing.T) {
	t.Parallel()
	g := newGo(t, plain)
	g.prog.Seed = ""
	g.run("build", "./use", "./lib")
	for range 3 {
		g.prog.RemoveLate = true
		if out, err := g.try("build", "./use", "./lib"); err != nil {
			t.Logf("the build that lost files: %v\n%s", err, out)
		}
		g.prog.RemoveLate = false
		g.run("build", "./use", "./lib")
	}
	g.run("build", "./use", "./lib")
	g.wantWarm()
	g.wantSound()
}

// While one go command has the store, another works without it, says so once, and its
// paths outlive it.
func TestTwoGoCommands(t *testing.T) {
	t.Parallel()
	g := newGo(t, map[string]string{
		"lib/lib.go": library["lib/lib.go"],
		"wait/wait.go": "package main\n\nimport \"os\"\n\n" +
			"func main() {\n\tos.Stdout.WriteString(\"running\\n\")\n\tos.Stdin.Read(make([]byte, 1))\n}\n",
	})
	first := g.command(t.Context(), "run", "./wait")
	in, err := first.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	first.Stderr = &log
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "running\n" {
		t.Fatalf("the first go command: %q, %v", line, err)
	}
	second, stderr := g.export("./lib")
	if n := strings.Count(stderr, "for this build only"); n != 1 {
		t.Errorf("said %d times that there is no store, want once:\n%s", n, stderr)
	}
	if !strings.HasPrefix(second, filepath.Join(g.prog.Dir, "sessions")) {
		t.Errorf("the second go command's output is %s", second)
	}
	if b, err := os.ReadFile(second); err != nil || len(b) == 0 {
		t.Errorf("it has %d bytes, %v", len(b), err)
	}
	in.Close()
	io.Copy(io.Discard, out)
	if err := first.Wait(); err != nil {
		t.Errorf("the first go command: %v\n%s", err, &log)
	}
	third, _ := g.export("./lib")
	if a, b := g.read(second), g.read(third); third == second || !bytes.Equal(a, b) {
		t.Errorf("%s and %s: %d and %d bytes", second, third, len(a), len(b))
	}
	g.wantSound()
}

// export builds a package and returns the path of its export data.
func (g *goCommand) export(pkg string) (path, stderr string) {
	g.t.Helper()
	var stdoutBuf, stderrBuf bytes.Buffer
	cmd := g.command(g.t.Context(), "list", "-export", "-f", "{{.Export}}", pkg)
	cmd.Stdout, cmd.Stderr = &stdoutBuf, &stderrBuf
	if err := cmd.Run(); err != nil {
		g.t.Fatalf("%v\n%s", err, &stderrBuf)
	}
	return strings.TrimSpace(stdoutBuf.String()), stderrBuf.String()
}
