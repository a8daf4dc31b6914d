package cache_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache"
)

func TestSmoke(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	s, err := cache.Open(ctx, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		d := s.NewDraft()
		if err := d.Add("a.o", 0o644, strings.NewReader(fmt.Sprint("content ", i))); err != nil {
			t.Fatal(err)
		}
		if i%100 == 0 {
			if err := d.Add("big", 0o755, bytes.NewReader(bytes.Repeat([]byte{byte(i)}, 5000+i))); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Put(ctx, key(i), d); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		for i := range 5000 {
			a, err := s.Get(ctx, key(i))
			if err != nil {
				t.Fatal(i, err)
			}
			b, err := a.Bytes("a.o")
			if err != nil || string(b) != fmt.Sprint("content ", i) {
				t.Fatal(i, string(b), err)
			}
			if i%100 == 0 {
				if _, err := a.Path("big"); err != nil {
					t.Fatal(err)
				}
				if b, err := a.Bytes("big"); err != nil || len(b) != 5000+i {
					t.Fatal(err)
				}
			}
			a.Release()
		}
	}
	check()
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if s, err = cache.Open(ctx, dir, nil); err != nil {
		t.Fatal(err)
	}
	check()
	a, err := s.Get(ctx, key(100))
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	root, err := os.OpenRoot(out)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	done, err := a.Deliver(ctx, root, nil)
	if err != nil || len(done) != 2 {
		t.Fatal(done, err)
	}
	a.Release()
	n := 0
	for _, err := range s.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 5000 {
		t.Fatal(n)
	}
	rep, err := s.Verify(ctx, nil)
	t.Log(rep, err, fmt.Sprintf("%+v", s.Stats()))
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir + "/index"); err != nil {
		t.Fatal(err)
	}
	if s, err = cache.Open(ctx, dir, nil); err != nil {
		t.Fatal(err)
	}
	check()
	t.Logf("%+v", s.Stats())
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func key(i int) cache.Key { return cache.NewKey("t").Int(int64(i)).Sum() }
