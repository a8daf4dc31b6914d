package gocacheprog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/gocacheprog"
)

// A program passes its standard input and output, and closes the output before the store.
func ExampleServe() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	stdin := strings.NewReader(`
{"ID":1,"Command":"get","ActionID":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}

{"ID":2,"Command":"put","ActionID":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",` +
		`"OutputID":"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=","BodySize":5}

"aGVsbG8="
`)
	stdout, responses := io.Pipe()

	var store *cache.Store
	open := func(ctx context.Context) (gocacheprog.Store, error) {
		var err error
		if store, err = cache.Open(ctx, filepath.Join(dir, "store"), nil); err != nil {
			return nil, err // the build goes on without a store
		}
		return gocacheprog.Over(store), nil
	}
	go func() {
		err := gocacheprog.Serve(context.Background(), stdin, responses, open, nil)
		responses.CloseWithError(err)
	}()

	for dec := json.NewDecoder(stdout); dec.More(); {
		var r gocacheprog.Response
		if err := dec.Decode(&r); err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.ID, r.KnownCommands, r.Miss, filepath.Base(r.DiskPath)[:1])
	}
	if err := store.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 0 [get put close] false .
	// 1 [] true .
	// 2 [] false 2
}
