package gobuild

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/larderbuild/larder/internal/bench/frame"
)

// Packages of the programs, as this module sees them.
const (
	thisModule = "github.com/larderbuild/larder/internal/bench"
	cacherPkg  = "github.com/bradfitz/go-tool-cache/cmd/go-cacher"
	oursPkg    = "github.com/larderbuild/larder/examples/gobuild"
	floorPkg   = thisModule + "/floor"
	recordPkg  = thisModule + "/recorder"
)

// programs builds the programs of this suite, each once a run, into one folder.
type programs struct {
	env    *frame.Env
	dir    string
	module string // folder of this module's source
	built  map[string]program
}

type program struct {
	path string
	err  error
}

func newPrograms(env *frame.Env) *programs {
	return &programs{env: env, built: make(map[string]program)}
}

// source returns the folder of this module, which must be the current one or the one below it that
// the go command finds.
func (p *programs) source(ctx context.Context) (string, error) {
	if p.module != "" {
		return p.module, nil
	}
	dir, err := ask(ctx, "", "list", "-m", "-f", "{{.Dir}}", thisModule)
	p.module = dir
	return dir, err
}

// binary builds the package with the user's own cache and returns the path of the program.
func (p *programs) binary(ctx context.Context, pkg string) (string, error) {
	if made, ok := p.built[pkg]; ok {
		return made.path, made.err
	}
	path, err := p.build(ctx, pkg)
	p.built[pkg] = program{path, err}
	return path, err
}

func (p *programs) build(ctx context.Context, pkg string) (string, error) {
	module, err := p.source(ctx)
	if err != nil {
		return "", err
	}
	if p.dir == "" {
		if p.dir, _, err = p.env.TempDir("programs"); err != nil {
			return "", err
		}
	}
	suffix, err := ask(ctx, module, "env", "GOEXE")
	if err != nil {
		return "", err
	}
	path := filepath.Join(p.dir, filepath.Base(pkg)+suffix)
	_, err = ask(ctx, module, "build", "-o", path, pkg)
	return path, err
}

// quote makes one argument of a GOCACHEPROG.
func quote(arg string) string {
	if !strings.ContainsAny(arg, " '\"\t") {
		return arg
	}
	if strings.Contains(arg, "'") {
		return `"` + arg + `"`
	}
	return "'" + arg + "'"
}
