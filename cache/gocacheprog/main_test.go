package gocacheprog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/gocacheprog"
	"github.com/larderbuild/larder/internal/testkit"
)

func TestMain(m *testing.M) {
	os.Exit(testkit.Main(m, &testkit.Options{
		Roles: map[string]testkit.Role{cacheRole: cacheProgram},
	}))
}

const cacheRole = "cache program"

// program is how the test binary behaves as the go command's cache program; it is passed
// as JSON in a file, which the program's one argument names.
type program struct {
	Dir     string // root of the store
	Seed    string // a GOCACHE folder that misses are answered from, and put from
	Reserve int64  // of the store

	FailGets    bool
	FailPuts    bool
	Junk        bool  // input has junk between requests
	RemoveEvery int64 // every so many answers lose their files before they are sent
	RemoveLate  bool  // an answer loses its file when the next is asked for
}

// report is what the program appends to its file when it ends.
type report struct {
	Gets, Hits, Puts, Kept, Refused int64
	PID                             int
}

// cacheProgram is a small host.
func cacheProgram(args []string) int {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	var p program
	text, err := os.ReadFile(args[0])
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err == nil {
		err = p.serve(args[0])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cache program:", err)
		return 1
	}
	return 0
}

func (p *program) serve(file string) error {
	var store *cache.Store
	open := func(ctx context.Context) (gocacheprog.Store, error) {
		o := &cache.Options{LockWait: 200 * time.Millisecond, Reserve: p.Reserve}
		var err error
		if store, err = cache.Open(ctx, p.Dir, o); err != nil {
			return nil, err
		}
		return p.wrap(gocacheprog.Over(store)), nil
	}
	var in io.Reader = os.Stdin
	if p.Junk {
		in = newJunkReader(in)
	}
	var c gocacheprog.Counters
	err := gocacheprog.Serve(context.Background(), in, os.Stdout, open, &gocacheprog.Options{
		Sessions: filepath.Join(p.Dir, "sessions"), Counters: &c,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	r := report{c.Gets.Load(), c.Hits.Load(), c.Puts.Load(), c.Kept.Load(), c.Refused.Load(), os.Getpid()}
	err = errors.Join(err, r.append(file+".reports"))
	if store != nil {
		err = errors.Join(err, store.Close(context.Background()))
	}
	return errors.Join(err, os.Stdout.Close()) // last, so that a test can wait for all
}

func (r report) append(file string) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

func (p *program) wrap(s gocacheprog.Store) gocacheprog.Store {
	if p.Seed != "" {
		s = seeded{s, p.Seed}
	}
	return &faulty{Store: s, p: p}
}
