//go:build long

package gocacheprog_test

import (
	"os/exec"
	"testing"
)

func TestVeryLargeBodyTakesNoMemory(t *testing.T) { checkFlat(t, 1<<30) }

// A cold build of a program that nothing is seeded for, whatever is wrong with the cache.
func TestGoBuildOfRealProgramSurvives(t *testing.T) {
	for name, spoil := range map[string]func(*goCommand){
		"nothing wrong":  func(*goCommand) {},
		"failing store":  func(g *goCommand) { g.prog.FailGets, g.prog.FailPuts = true, true },
		"junk":           func(g *goCommand) { g.prog.Junk = true },
		"files go":       func(g *goCommand) { g.prog.RemoveEvery = 3 },
		"a reserve left": func(g *goCommand) { g.prog.Reserve = 1 << 60 },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGo(t, library)
			g.prog.Seed = ""
			spoil(g)
			g.write("main/main.go", "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(42) }\n")
			g.run("build", "-o", "program", "./main")
			if r := g.lastReport(); r.Refused > 0 {
				t.Errorf("counted %+v", r)
			}
			g.sameBinary("program", "./main")
		})
	}
}

func TestGoTestWithRaceDetector(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip(err)
	}
	g := newGo(t, library)
	g.env = append(g.env, "CGO_ENABLED=1")
	g.run("test", "-race", "./lib")
	g.run("test", "-race", "./lib")
	g.run("build", "-race", "-o", "program", "./main")
	g.sameBinary("program", "-race", "./main")
	g.wantSound()
}

func TestGoBuildOfStd(t *testing.T) {
	g := newGo(t, plain)
	g.run("build", "std")
	g.run("build", "std")
	g.wantWarm()
	g.wantSound()
}
