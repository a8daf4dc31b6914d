package larder_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/larderbuild/larder/cache"
)

// A host that wires the parts: a store with its upkeep, and one build step that runs the first time only.
func Example() {
	if err := host(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// compiling hello.c
	// main.o: copied, 11 bytes
	// main.o: copied, 11 bytes
}

func host(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "larder-example")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := cache.Open(ctx, filepath.Join(dir, "store"), nil)
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.Go(func() error { return store.Run(ctx) }) // optional: upkeep, until Close
	for _, out := range []string{"first", "second"} {
		if err := build(ctx, store, filepath.Join(dir, out)); err != nil {
			return err
		}
	}
	if err := store.Close(ctx); err != nil {
		return err
	}
	return g.Wait()
}

// build delivers main.o into the folder out, compiling it only when the store does not have it.
func build(ctx context.Context, store *cache.Store, out string) error {
	key := cache.NewKey("example/1").Strings("cc", "-c", "hello.c").Sum()
	art, err := store.Do(ctx, key, func(ctx context.Context, d *cache.Draft) error {
		fmt.Println("compiling hello.c")
		d.SetStreams(nil, []byte("no warnings\n"), 0)
		return d.Add("main.o", 0o644, bytes.NewReader([]byte("object code")))
	})
	if err != nil {
		return err
	}
	defer art.Release()
	if err := os.Mkdir(out, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(out)
	if err != nil {
		return err
	}
	defer root.Close()
	delivered, err := art.Deliver(ctx, root, nil)
	if err != nil {
		return err
	}
	for _, d := range delivered {
		fi, err := root.Stat(d.To)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %v, %d bytes\n", d.Name, d.How, fi.Size())
	}
	return nil
}
