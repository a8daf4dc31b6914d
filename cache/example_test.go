package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/larderbuild/larder/cache"
)

// openExample opens a store in a folder of its own.
func openExample() (store *cache.Store, closeAll func()) {
	dir, err := os.MkdirTemp("", "larder-example-")
	if err != nil {
		panic(err)
	}
	store, err = cache.Open(context.Background(), filepath.Join(dir, "store"), nil)
	if err != nil {
		panic(err)
	}
	return store, func() {
		if err := errors.Join(store.Close(context.Background()), os.RemoveAll(dir)); err != nil {
			fmt.Println(err)
		}
	}
}

// A key covers everything that the result of a step depends on.
func ExampleNewKey() {
	key := func(args ...string) cache.Key {
		return cache.NewKey("cc/1").Bytes([]byte("compiler 14.2")).Strings(args...).Sum()
	}
	again := key("-O0", "-O2")
	fmt.Println(key("-O0", "-O2") == again)
	fmt.Println(key("-O0", "-O2") == key("-O2", "-O0"))
	fmt.Println(key("ab", "c") == key("a", "bc"))
	// Output:
	// true
	// false
	// false
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "larder-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	store, err := cache.Open(ctx, dir, &cache.Options{Durability: cache.None})
	if err != nil {
		panic(err)
	}
	defer store.Close(ctx)

	_, err = cache.Open(ctx, dir, nil)
	if locked, ok := errors.AsType[*cache.LockedError](err); ok {
		fmt.Println("the root has an owner:", locked.PID == os.Getpid())
	}
	// Output: the root has an owner: true
}

func ExampleStore_Do() {
	store, closeAll := openExample()
	defer closeAll()
	key := cache.NewKey("upper/1").Strings("hello").Sum()
	build := func(_ context.Context, d *cache.Draft) error {
		fmt.Println("building")
		d.SetStreams([]byte("1 file"), nil, 0)
		return d.Add("greeting.txt", 0o644, strings.NewReader("HELLO"))
	}
	for range 2 {
		art, err := store.Do(context.Background(), key, build)
		if err != nil {
			panic(err)
		}
		text, err := art.Bytes("greeting.txt")
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", text)
		art.Release()
	}
	// Output:
	// building
	// HELLO
	// HELLO
}

func ExampleStore_Put() {
	store, closeAll := openExample()
	defer closeAll()
	ctx := context.Background()
	key := cache.NewKey("example").Sum()

	d := store.NewDraft()
	d.SetCost(3 * time.Second)
	if err := d.Add("bin/tool", 0o755, strings.NewReader("#!/bin/sh\n")); err != nil {
		panic(err)
	}
	if err := d.AddSymlink("bin/latest", "tool"); err != nil {
		panic(err)
	}
	if err := store.Put(ctx, key, d); err != nil {
		panic(err)
	}

	art, err := store.Get(ctx, key)
	if err != nil {
		panic(err)
	}
	defer art.Release()
	outputs, err := art.Outputs()
	if err != nil {
		panic(err)
	}
	for _, o := range outputs {
		fmt.Printf("%v %4d %s -> %q\n", o.Mode, o.Size, o.Name, o.Target)
	}
	fmt.Println("cost", art.Cost())
	// Output:
	// -rwxr-xr-x   10 bin/tool -> ""
	// Lrwxrwxrwx    0 bin/latest -> "tool"
	// cost 3s
}

func ExampleStore_Get_miss() {
	store, closeAll := openExample()
	defer closeAll()
	_, err := store.Get(context.Background(), cache.NewKey("absent").Sum())
	fmt.Println(errors.Is(err, cache.ErrNotFound))
	// Output: true
}

func ExampleArtifact_Open() {
	store, closeAll := openExample()
	defer closeAll()
	art, err := store.Do(context.Background(), cache.NewKey("example").Sum(), exampleBuild)
	if err != nil {
		panic(err)
	}
	defer art.Release()
	r, err := art.Open("a.txt")
	if err != nil {
		panic(err)
	}
	defer r.Close()
	if _, err := io.Copy(os.Stdout, r); err != nil {
		fmt.Println(err) // ErrCorrupt, when the file has gone bad: build it again
	}
	// Output: content of a
}

func ExampleArtifact_Deliver() {
	store, closeAll := openExample()
	defer closeAll()
	ctx := context.Background()
	art, err := store.Do(ctx, cache.NewKey("example").Sum(), exampleBuild)
	if err != nil {
		panic(err)
	}
	defer art.Release()

	dir, err := os.MkdirTemp("", "larder-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		panic(err)
	}
	defer root.Close()
	done, err := art.Deliver(ctx, root, &cache.DeliverOptions{Mode: cache.Copy})
	if err != nil {
		panic(err)
	}
	for _, d := range done {
		text, err := root.ReadFile(d.To)
		fmt.Printf("%s was %v: %s %v\n", d.To, d.How, text, err)
	}
	// Output:
	// a.txt was copied: content of a <nil>
	// sub/b.txt was copied: content of b <nil>
}

func ExampleStore_All() {
	store, closeAll := openExample()
	defer closeAll()
	ctx := context.Background()
	for i := range 3 {
		d := store.NewDraft()
		if err := d.Add("out", 0o644, strings.NewReader(strings.Repeat("x", i*100))); err != nil {
			panic(err)
		}
		if err := store.Put(ctx, cache.NewKey("all").Int(int64(i)).Sum(), d); err != nil {
			panic(err)
		}
	}
	var largest int64
	for e, err := range store.All(ctx) {
		if err != nil {
			panic(err) // entries may be missing
		}
		largest = max(largest, e.Size)
	}
	fmt.Println(store.Stats().Entries, "entries, the largest of", largest, "bytes")
	// Output: 3 entries, the largest of 200 bytes
}

// Eviction: what nobody has used for a week goes. What is used meanwhile, or held, stays.
func ExampleStore_DeleteIdle() {
	store, closeAll := openExample()
	defer closeAll()
	ctx := context.Background()
	key := cache.NewKey("example").Sum()
	art, err := store.Do(ctx, key, exampleBuild)
	if err != nil {
		panic(err)
	}
	evict := func(unusedSince time.Time) {
		for e, err := range store.All(ctx) {
			if err != nil {
				panic(err)
			}
			if e.LastUse.After(unusedSince) {
				continue
			}
			err := store.DeleteIdle(ctx, e.Key, unusedSince)
			fmt.Println("deleted:", err == nil, "in use:", errors.Is(err, cache.ErrInUse))
		}
	}
	evict(time.Now().AddDate(0, 0, -7))
	evict(time.Now().Add(time.Hour)) // all that nobody holds
	art.Release()
	evict(time.Now().Add(time.Hour))
	// Output:
	// deleted: false in use: true
	// deleted: true in use: false
}

func ExampleStore_Verify() {
	store, closeAll := openExample()
	defer closeAll()
	ctx := context.Background()
	art, err := store.Do(ctx, cache.NewKey("example").Sum(), exampleBuild)
	if err != nil {
		panic(err)
	}
	art.Release()
	report, err := store.Verify(ctx, &cache.VerifyOptions{BytesPerSecond: 50 << 20})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Entries, "entries,", report.Bytes, "bytes,", report.Corrupt, "corrupt")
	// Output: 1 entries, 24 bytes, 0 corrupt
}

func exampleBuild(_ context.Context, d *cache.Draft) error {
	return errors.Join(
		d.Add("a.txt", 0o644, strings.NewReader("content of a")),
		d.Add("sub/b.txt", 0o644, strings.NewReader("content of b")))
}
