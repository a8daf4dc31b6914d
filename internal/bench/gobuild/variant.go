package gobuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/cache"

	"github.com/larderbuild/larder/internal/bench/goprog"
)

// variant is one cache under test.
type variant struct {
	name string
	pkg  string                               // of its program; "" for Go's own cache
	args func(gocache, table string) []string // of its program
}

func own() variant { return variant{name: "Go's own cache"} }

func goCacher() variant {
	return variant{name: "go-cacher", pkg: cacherPkg, args: func(gocache, _ string) []string {
		return []string{"-cache-dir", gocache + "-cacher"}
	}}
}

func floor() variant {
	return variant{name: "floor", pkg: floorPkg, args: func(_, table string) []string {
		return []string{table}
	}}
}

// ours keeps its store beside GOCACHE under a path that begins like it, as the design asks of hosts.
func ours() variant {
	return variant{name: "ours", pkg: oursPkg, args: func(gocache, _ string) []string {
		return []string{"serve", "-direct", "-dir", gocache + "-larder"} // its CPU time counts, and no broker stays behind
	}}
}

// ready is a variant with a folder of its own and its program built.
type ready struct {
	caching
	name string
	argv []string // of the program
	err  error    // why it cannot be used
}

// prepare builds the program. Folders are made below dir; table is that of a recorded build, if any.
func (v variant) prepare(ctx context.Context, p *programs, dir, table string) ready {
	folder := strings.NewReplacer(" ", "-", "'", "").Replace(v.name)
	r := ready{name: v.name, caching: caching{gocache: filepath.Join(dir, folder, "go-build")}}
	if r.err = os.MkdirAll(r.gocache, 0o777); r.err != nil || v.pkg == "" {
		return r
	}
	path, err := p.binary(ctx, v.pkg)
	if err != nil {
		r.err = err
		return r
	}
	r.argv = append([]string{path}, v.args(r.gocache, table)...)
	var quoted []string
	for _, arg := range r.argv {
		quoted = append(quoted, quote(arg))
	}
	r.program = strings.Join(quoted, " ")
	return r
}

// fill gives the variant every recorded output. The floor has them already.
func (r ready) fill(ctx context.Context, table *goprog.Table) error {
	switch r.name {
	case own().name:
		return fillOwn(r.gocache, table)
	case floor().name:
		return nil
	default:
		if err := replay(ctx, r.argv, table); err != nil {
			return fmt.Errorf("fill %s: %w", r.name, err)
		}
		return nil
	}
}

// fillOwn writes what Go's own cache would have written: the format of package cache is the same.
func fillOwn(dir string, table *goprog.Table) error {
	c, err := cache.Open(dir)
	if err != nil {
		return err
	}
	return table.All(func(action goprog.ID, e goprog.Entry) error {
		f, err := os.Open(e.Path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, _, err = c.PutNoVerify(cache.ActionID(action), f)
		return err
	})
}

// replay starts a cache program, puts everything, and waits for its end.
func replay(ctx context.Context, argv []string, table *goprog.Table) (err error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close(), cmd.Wait()) }()
	client, err := goprog.NewClient(out, in)
	if err != nil {
		return err
	}
	err = table.All(func(action goprog.ID, e goprog.Entry) error {
		_, err := client.Put(action, e)
		return err
	})
	if err != nil {
		return err
	}
	return client.Close()
}
