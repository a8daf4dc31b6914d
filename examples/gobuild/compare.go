package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/larderbuild/larder/cache"
)

// comparison says whether the store holds what Go's own cache holds, byte for byte.
type comparison struct {
	Outputs   int      `json:"outputs"` // the same in both
	Programs  int      `json:"programs"`
	Bytes     int64    `json:"bytes"`
	Different []string `json:"different"` // what is not
}

func (c *comparison) print(w io.Writer) {
	if len(c.Different) == 0 {
		fmt.Fprintf(w, "compared          %d outputs and %d programs, %s: all the same as with Go's own cache\n",
			c.Outputs, c.Programs, formatBytes(c.Bytes))
		return
	}
	fmt.Fprintf(w, "compared          %d outputs and %d programs are the same, %d are DIFFERENT:\n",
		c.Outputs, c.Programs, len(c.Different))
	for _, d := range c.Different {
		fmt.Fprintf(w, "  %s\n", d)
	}
}

func (c *comparison) differ(format string, args ...any) {
	c.Different = append(c.Different, fmt.Sprintf(format, args...))
}

// compare reads both caches and all programs that were built.
func (d *demo) compare(ctx context.Context) (c comparison, err error) {
	c.Different = []string{}
	for _, s := range d.steps()[:3] {
		if err := c.programs(d.outDir(s.folder), d.outDir("own-warm")); err != nil {
			return c, err
		}
	}
	err = withStore(ctx, d.root, time.Minute, func(s *cache.Store) error {
		return c.outputs(ctx, s, d.ownDir())
	})
	return c, err
}

// programs compares the files of two folders.
func (c *comparison) programs(got, want string) error {
	entries, err := os.ReadDir(want)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		a, err := os.ReadFile(filepath.Join(want, e.Name()))
		if err != nil {
			return err
		}
		b, err := os.ReadFile(filepath.Join(got, e.Name()))
		if err != nil || !bytes.Equal(a, b) {
			c.differ("program %s: %d bytes, and %d in %s", e.Name(), len(a), len(b), filepath.Base(got))
			continue
		}
		c.Programs++
		c.Bytes += int64(len(a))
	}
	return nil
}

// outputs looks every action of Go's own cache up in the store.
func (c *comparison) outputs(ctx context.Context, s *cache.Store, own string) error {
	records, err := filepath.Glob(filepath.Join(own, "??", "*-a"))
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return errors.New("the go command did not use its own cache")
	}
	for _, name := range records {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := c.output(ctx, s, own, name); err != nil {
			return err
		}
	}
	return nil
}

// output compares one. A record of Go's own cache is a line of text that names the
// action and the SHA-256 of its output.
func (c *comparison) output(ctx context.Context, s *cache.Store, own, record string) error {
	action := strings.TrimSuffix(filepath.Base(record), "-a")
	text, err := os.ReadFile(record)
	if err != nil {
		return err
	}
	var version, id, output string
	if n, _ := fmt.Sscan(string(text), &version, &id, &output); n < 3 || len(output) < 2 {
		return fmt.Errorf("%s: not a record of Go's cache", record)
	}
	name := filepath.Join(own, output[:2], output+"-d")
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return nil // an executable, which the go command does not give to a cache program
	}
	want, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	got, err := stored(ctx, s, action)
	if err != nil || !bytes.Equal(got, want) {
		c.differ("action %s: %d bytes, and %d in the store, %v", action, len(want), len(got), err)
		return nil
	}
	c.Outputs++
	c.Bytes += int64(len(want))
	return nil
}

// stored reads an output from the store.
func stored(ctx context.Context, s *cache.Store, action string) ([]byte, error) {
	var key cache.Key
	if n, err := hex.Decode(key[:], []byte(action)); err != nil || n != len(key) {
		return nil, fmt.Errorf("not an action ID: %s", action)
	}
	art, err := s.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer art.Release()
	outputs, err := art.Outputs()
	if err != nil || len(outputs) != 1 {
		return nil, fmt.Errorf("%d outputs, %w", len(outputs), err)
	}
	return art.Bytes(outputs[0].Name)
}
