package cachetest_test

import (
	"context"
	"fmt"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/cachetest"
)

// A test of a host that needs a store, but no disk.
func ExampleNewMemory() {
	ctx := context.Background()
	store := cachetest.NewMemory()
	key := cache.NewKey("greeting/1").Strings("hello").Sum()

	err := store.Put(ctx, key, cachetest.Artifact{
		Outputs: []cachetest.Output{{Name: "hello.txt", Mode: 0o644, Content: []byte("hello\n")}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	lease, err := store.Get(ctx, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lease.Release()
	a, err := lease.Read()
	fmt.Printf("%s %q %v\n", a.Outputs[0].Name, a.Outputs[0].Content, err)
	// Output: hello.txt "hello\n" <nil>
}
