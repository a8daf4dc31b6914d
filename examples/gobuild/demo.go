package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/larderbuild/larder/cache"
)

// defaultProgram is what the demonstration builds: a real program of some 230 packages
// whose source every Go installation has.
const defaultProgram = "cmd/vet"

// demo is one demonstration.
type demo struct {
	gocmd  goCommand
	screen *screen
	temp   string // everything but the store is below it
	root   string // of the store
	target target
	result result
}

func runDemo(c *call) (int, error) {
	flags := c.flags()
	dir := flags.String("dir", "", "`folder` of the store, which is kept then (default: a temporary one)")
	asJSON := flags.Bool("json", false, "print the result as JSON")
	if err := c.parse(flags, -1); err != nil {
		return exitUsage, err
	}
	if len(c.args) == 0 && bareProgram() {
		return exitUsage, fmt.Errorf("%w: GOCACHEPROG names this program alone, which is no cache then: GOCACHEPROG=\"gobuild serve\" is one", errUsage)
	}
	args := flags.Args()
	if n := len(c.args) - len(args); len(args) > 0 && (n == 0 || c.args[n-1] != "--") {
		return exitUsage, fmt.Errorf("%w: unknown command %q; packages follow \"--\"", errUsage, args[0])
	}
	if len(args) == 0 {
		args = []string{defaultProgram}
	}
	target, err := newTarget(args)
	if err != nil {
		return exitUsage, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	temp, err := os.MkdirTemp("", "gobuild-")
	if err != nil {
		return exitFailure, err
	}
	d := &demo{screen: newScreen(c.stderr), temp: temp, target: target}
	err = d.run(ctx, *dir)
	err = errors.Join(err, removeAll(temp))
	if err != nil {
		return exitCode(err), err
	}
	if *asJSON {
		return d.result.code(), printJSON(c.stdout, d.result)
	}
	return d.result.code(), d.result.print(c.stdout)
}

// endings are the signals that end the demonstration, which then removes its temporary folder.
func endings() []os.Signal {
	list := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE}
	if signal.Ignored(syscall.SIGHUP) { // as nohup has it
		return list
	}
	return append(list, syscall.SIGHUP)
}

// run does everything that takes time.
func (d *demo) run(ctx context.Context, dir string) (err error) {
	// The store's path begins with that of GOCACHE, as in everyday use.
	d.root = filepath.Join(d.temp, "gocache-larder")
	if dir != "" {
		if d.root, err = filepath.Abs(dir); err != nil {
			return err
		}
	}
	if d.gocmd, err = findGo(d.screen); err != nil {
		return err
	}
	if err := d.gocmd.forgetProgram(ctx, d.temp); err != nil {
		return err
	}
	if d.target, err = d.gocmd.resolve(ctx, d.target); err != nil {
		return err
	}
	d.result.Target, d.result.Packages = d.target.args, d.target.packages
	d.screen.say("%s, %d packages, four times:", d.target.name(), d.target.packages)
	for _, s := range d.steps() {
		if err := s.run(ctx, d); err != nil {
			return err
		}
	}
	d.screen.status("comparing")
	d.result.Compared, err = d.compare(ctx)
	d.screen.clear()
	return err
}

// step is one of the builds.
type step struct {
	name   string
	folder string // for the program that is built
	larder bool
	timing *timing
	counts *counts
}

func (d *demo) steps() []step {
	r := &d.result
	return []step{
		{"larder, cold", "larder-cold", true, &r.Larder.Cold, &r.ColdCounts},
		{"larder, warm", "larder-warm", true, &r.Larder.Warm, &r.WarmCounts},
		{"Go's own cache, cold", "own-cold", false, &r.Own.Cold, nil},
		{"Go's own cache, warm", "own-warm", false, &r.Own.Warm, nil},
	}
}

// run builds, and leaves the store to nobody: a go command that has ended does not mean
// that its cache program has closed the store.
func (s step) run(ctx context.Context, d *demo) error {
	env, file := d.environment(s)
	stop := d.screen.follow(s.name, file)
	took, err := d.gocmd.build(ctx, env, d.target, d.outDir(s.folder))
	stop()
	s.timing.Wall = took.Seconds()
	if s.larder {
		err = errors.Join(err, d.settle(ctx), s.read(file))
	}
	if err != nil {
		return err
	}
	d.screen.say("  %-22s %6.2f s", s.name, took.Seconds())
	return nil
}

// environment is what sets the builds apart, and the file that the counters go to.
func (d *demo) environment(s step) (env []string, file string) {
	env = []string{"GOTMPDIR=" + d.temp} // an interrupted go command does not clean up
	if !s.larder {
		return append(env, "GOCACHE="+d.ownDir(), "GOCACHEPROG="), ""
	}
	file = filepath.Join(d.temp, s.folder+".counts")
	return append(env, "GOCACHE="+filepath.Join(d.temp, "gocache"),
		"GOCACHEPROG="+d.gocmd.cacheProgram(d.root, file)), file
}

func (s step) read(file string) (err error) {
	*s.counts, err = readCounts(file)
	return err
}

// settle waits until the store is nobody's and looks at what it holds.
func (d *demo) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return withStore(ctx, d.root, -1, func(s *cache.Store) error {
		d.result.Store = holdingsOf(d.root, s)
		return nil
	})
}

// ownDir is the GOCACHE folder of Go's own cache.
func (d *demo) ownDir() string { return filepath.Join(d.temp, "own") }

func (d *demo) outDir(folder string) string { return filepath.Join(d.temp, "bin", folder) }

// removeAll removes a folder in which files may be read-only.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if err != nil {
		return fmt.Errorf("temporary files are left: %w", err)
	}
	return nil
}
