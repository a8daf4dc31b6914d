package gocacheprog_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("X_DIR"); dir != "" && len(os.Args) == 1 {
		err := gocacheprog.Serve(context.Background(), os.Stdin, os.Stdout, gocacheprog.Opened(dirStore{dir}), nil)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
