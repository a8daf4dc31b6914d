package gocacheprog_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// plain imports nothing, so that building it needs no standard library.
var plain = map[string]string{
	"lib/lib.go": "package lib\n\nfunc Answer() int { return 42 }\n",
	"use/use.go": "package use\n\nimport \"example.test/m/lib\"\n\nfunc Twice() int { return 2 * lib.Answer() }\n",
}

// library has a program and a test as well.
var library = map[string]string{
	"lib/lib.go":   plain["lib/lib.go"],
	"use/use.go":   plain["use/use.go"],
	"main/main.go": "package main\n\nimport \"example.test/m/use\"\n\nfunc main() { println(use.Twice()) }\n",
	"lib/lib_test.go": "package lib\n\nimport \"testing\"\n\n" +
		"func TestAnswer(t *testing.T) {\n\tif Answer() != 42 {\n\t\tt.Fail()\n\t}\n}\n",
}

func TestGoBuild(t *testing.T) {
	t.Parallel()
	g := newGo(t, library)
	g.run("build", "-o", "program", "./main")
	if r := g.lastReport(); r.Puts == 0 {
		t.Errorf("nothing was put: %+v", r)
	}
	g.sameBinary("program", "./main")
	os.Remove(g.path("program"))
	g.run("build", "-o", "program", "./main")
	g.sameBinary("program", "./main")
	g.run("build", "-o", "program", "./main")
	g.wantWarm()
	g.wantSound()
}

// From a hit the go command takes the file away that it was told of, or copies it when
// its path begins as GOCACHE does. After a miss it has a file of its own.
func TestGoBuildTakesArchive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		dir   string
		taken bool
	}{
		{"default place", "gocache-larder", false},
		{"elsewhere", "elsewhere", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGo(t, library)
			g.prog.Dir = filepath.Join(filepath.Dir(g.prog.Dir), c.dir)
			for i, missing := range []bool{true, false, c.taken, false} {
				name := fmt.Sprintf("x%d.a", i)
				g.run("build", "-o", name, "./lib")
				if r := g.lastReport(); (r.Hits < r.Gets) != missing {
					t.Errorf("build %d: %+v", i, r)
				}
				if size := g.size(name); size == 0 || size != g.size("x0.a") {
					t.Errorf("archive %d has %d bytes", i, size)
				}
			}
			g.write("x1.a", "changed by its owner")
			g.run("build", "-o", "program", "./main")
			g.sameBinary("program", "./main")
			g.wantSound()
		})
	}
}

func (g *goCommand) size(name string) int64 {
	g.t.Helper()
	info, err := os.Stat(g.path(name))
	if err != nil {
		g.t.Fatal(err)
	}
	return info.Size()
}

func TestGoTest(t *testing.T) {
	t.Parallel()
	g := newGo(t, library)
	if out := g.run("test", "./lib"); strings.Contains(out, "(cached)") {
		t.Errorf("the first run: %s", out)
	}
	if out := g.run("test", "./lib"); !strings.Contains(out, "(cached)") {
		t.Errorf("the second run: %s", out)
	}
	g.run("clean", "-testcache")
	if out := g.run("test", "./lib"); strings.Contains(out, "(cached)") {
		t.Errorf("after clean -testcache: %s", out)
	}
	if out := g.run("test", "./lib"); !strings.Contains(out, "(cached)") {
		t.Errorf("the run after that: %s", out)
	}
	g.run("vet", "./...")
	g.run("vet", "./...")
	g.wantWarm()
	g.wantSound()
}

func TestGoRunAndInstall(t *testing.T) {
	t.Parallel()
	g := newGo(t, library)
	var stderr strings.Builder
	cmd := g.command(t.Context(), "run", "./main")
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil || stderr.String() != "84\n" {
		t.Errorf("go run: %v, %q", err, &stderr)
	}
	g.run("install", "./main")
	bin := filepath.Join(filepath.Dir(g.dir), "bin", "main")
	out, err := exec.CommandContext(t.Context(), bin).CombinedOutput()
	if err != nil || string(out) != "84\n" {
		t.Errorf("the installed program: %v, %q", err, out)
	}
	g.run("install", "./main")
	g.wantWarm()
}

// The paths of list -export are read when the go command has ended, which it does
// without a close.
func TestGoListExport(t *testing.T) {
	t.Parallel()
	g := newGo(t, library)
	var before string
	for range 2 {
		paths := g.run("list", "-export", "-deps", "-f", "{{if .Export}}{{.Export}}{{end}}", "./main")
		n := 0
		for path := range strings.Lines(paths) {
			b, err := os.ReadFile(strings.TrimSuffix(path, "\n"))
			if err != nil || !strings.HasPrefix(string(b), "!<arch>\n") {
				t.Errorf("%s: %d bytes, %v", path, len(b), err)
			}
			n++
		}
		if n < 10 {
			t.Errorf("%d paths:\n%s", n, paths)
		}
		if before != "" && paths != before {
			t.Errorf("the paths have changed:\n%s%s", before, paths)
		}
		before = paths
	}
	g.wantSound()
}

func TestCoverage(t *testing.T) {
	t.Parallel()
	g := newGo(t, library)
	for i := range 2 {
		out := g.run("test", "-cover", "-coverpkg=./...", "./lib")
		if !strings.Contains(out, "coverage: ") || strings.Contains(out, "(cached)") != (i == 1) {
			t.Errorf("run %d: %s", i, out)
		}
		g.run("test", "-coverprofile=profile", "./lib")
		if profile := g.read("profile"); !bytes.Contains(profile, []byte("m/lib/lib.go:3")) {
			t.Errorf("run %d: the profile is %q", i, profile)
		}
	}
	g.wantSound()
}

// A package with C in it has several outputs, headers and objects among them.
func TestCgo(t *testing.T) {
	t.Parallel()
	g := newGo(t, map[string]string{"c/c.go": "package c\n\n// static int answer(void) { return 42; }\n" +
		"import \"C\"\n\nfunc Answer() int { return int(C.answer()) }\n"})
	if out, err := exec.CommandContext(t.Context(), "go", "env", "CGO_ENABLED").Output(); string(out) != "1\n" {
		t.Skipf("there is no C compiler: %s, %v", out, err)
	}
	g.run("build", "./c")
	g.run("build", "./c")
	g.wantWarm()
	g.run("list", "-export", "-compiled", "-f", "{{.Export}} {{.CompiledGoFiles}}", "./c")
	g.wantSound()
}
