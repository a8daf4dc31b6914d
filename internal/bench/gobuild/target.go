package gobuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/larderbuild/larder/internal/bench/frame"
)

// target is what is built. Packages may take a while to be found out, so they are asked for when needed.
type target struct {
	name    string
	resolve func(ctx context.Context, p *programs) (work, error)
}

// work is a target made concrete: packages to build in a folder.
type work struct {
	dir      string
	packages []string
}

func (w work) args(flags ...string) []string {
	return append(append([]string{"build"}, flags...), w.packages...)
}

const badgerModule = "github.com/dgraph-io/badger/v4"

// std is the standard library.
func std() target {
	return target{name: "std", resolve: inModule("std")}
}

// usedStd is the part of std that this program is made of.
func usedStd() target {
	return target{name: "std as used here",
		resolve: func(ctx context.Context, p *programs) (work, error) {
			dir, err := p.source(ctx)
			if err != nil {
				return work{}, err
			}
			list, err := ask(ctx, dir, "list", "-deps", "-f", "{{if .Standard}}{{.ImportPath}}{{end}}", ".")
			return work{dir: dir, packages: strings.Fields(list)}, err
		}}
}

// allBadger is ./... of badger's own module, in a writable copy. Modules that only badger's command needs
// are downloaded when they are not there yet.
func allBadger() target {
	return target{name: "badger's ./...", resolve: func(ctx context.Context, p *programs) (work, error) {
		module, err := p.source(ctx)
		if err != nil {
			return work{}, err
		}
		source, err := ask(ctx, module, "list", "-m", "-f", "{{.Dir}}", badgerModule)
		if err != nil {
			return work{}, err
		}
		dir, _, err := p.env.TempDir("badger")
		if err != nil {
			return work{}, err
		}
		dir = filepath.Join(dir, "v4")
		if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
			return work{}, fmt.Errorf("bench: copy badger's source: %w", err)
		}
		_, err = ask(ctx, dir, "mod", "download")
		return work{dir: dir, packages: []string{"./..."}}, err
	}}
}

// badgerLibrary is badger's package alone, with what it needs.
func badgerLibrary() target {
	return target{name: "badger's library", resolve: inModule(badgerModule)}
}

// inModule builds packages that this module can name.
func inModule(packages ...string) func(context.Context, *programs) (work, error) {
	return func(ctx context.Context, p *programs) (work, error) {
		dir, err := p.source(ctx)
		return work{dir: dir, packages: packages}, err
	}
}

// resolved remembers what a target is for all cases of a run.
type resolved struct {
	target
	done bool
	work work
	err  error
}

func (r *resolved) get(ctx context.Context, p *programs) (work, error) {
	if !r.done {
		p.env.Log.Printf("gobuild: finding out what %s is", r.name)
		r.work, r.err = r.resolve(ctx, p)
		r.done = true
	}
	return r.work, r.err
}

func pickTarget(env *frame.Env, full, quick target) *resolved {
	return &resolved{target: frame.Pick(env, full, quick)}
}
