package cache_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache"
)

// TestMessages reads errors as a user does, who may see one line of a terminal.
func TestMessages(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 10<<10)
	cases := map[string]struct {
		fail func(k *kitchen) error
		says []string
	}{
		"put below the reserve": {func(k *kitchen) error {
			k.reopen(&cache.Options{Reserve: 1 << 60})
			return k.Put(t.Context(), keyOf("k"), k.NewDraft())
		}, []string{"cache: put " + keyOf("k").String(), "Options.Reserve"}},
		"stream below the reserve": {func(k *kitchen) error {
			k.reopen(&cache.Options{Reserve: 1 << 60})
			return k.NewDraft().Add("o", 0o644, bytes.NewReader(large))
		}, []string{`output "o"`, "Options.Reserve"}},
		"file below the reserve": {func(k *kitchen) error {
			file := filepath.Join(t.TempDir(), "f")
			k.reopen(&cache.Options{Reserve: 1 << 60})
			return errors.Join(os.WriteFile(file, large, 0o666), k.NewDraft().AddFile("o", file))
		}, []string{`output "o"`, "Options.Reserve"}},
		"no file": {func(k *kitchen) error {
			return k.NewDraft().AddFile("o", filepath.Join(t.TempDir(), "absent"))
		}, []string{`output "o"`, "absent"}},
		"locked": {func(k *kitchen) error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := cache.Open(ctx, k.root, &cache.Options{LockWait: -1})
			return err
		}, []string{"owned by process", context.Canceled.Error()}},
		"folder in the way": {func(k *kitchen) error {
			dest, err := os.OpenRoot(t.TempDir())
			k.must(err)
			defer dest.Close()
			k.must(dest.Mkdir("out", 0o777))
			a, err := k.Do(t.Context(), keyOf("k"), func(_ context.Context, d *cache.Draft) error {
				return d.Add("out", 0o644, bytes.NewReader(large))
			})
			k.must(err)
			defer a.Release()
			_, err = a.Deliver(t.Context(), dest, nil)
			return err
		}, []string{"cache: deliver out: place out: destination is a folder"}},
		"panic": {func(k *kitchen) error {
			_, err := k.Do(t.Context(), keyOf("k"), func(context.Context, *cache.Draft) error { panic("boo") })
			return err
		}, []string{"cache: do: build panicked: boo"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := c.fail(newKitchen(t, nil))
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("not one line: %v", err)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
		})
	}
}
