package cache_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/larderbuild/larder/cache"
)

const verifiedFirst = 1 << 20

// TestStreamOfWrongBytes spoils outputs around the size up to which Open verifies before it returns.
func TestStreamOfWrongBytes(t *testing.T) {
	reads := map[string]func(io.Reader) io.Reader{
		"as it comes":  func(r io.Reader) io.Reader { return r },
		"byte by byte": iotest.OneByteReader,
	}
	for name, size := range map[string]int{
		"file": 5000, "largest verified first": verifiedFirst, "first streamed": verifiedFirst + 1,
		"large": 3*verifiedFirst + 17,
	} {
		for how, wrap := range reads {
			if size > 2*verifiedFirst && how != "as it comes" {
				continue
			}
			t.Run(name+"/"+how, func(t *testing.T) {
				k := newKitchen(t, nil)
				k.put("k", strings.Repeat("x", size))
				a := k.get("k")
				spoil(t, k.path(a, "out"))
				r, err := a.Open("out")
				if size > verifiedFirst {
					k.must(err)
					defer r.Close()
					_, err = io.ReadAll(wrap(r))
				}
				if !errors.Is(err, cache.ErrCorrupt) || !errors.Is(err, cache.ErrNotFound) {
					t.Errorf("read to its end: %v", err)
				}
				k.miss("k")
			})
		}
	}
}

// TestStreamDamagedAfterRelease reads on after the release: what was opened has not been given up, and is damage if it is wrong.
func TestStreamDamagedAfterRelease(t *testing.T) {
	k := newKitchen(t, nil)
	k.put("k", strings.Repeat("x", verifiedFirst+100))
	a := k.get("k")
	spoil(t, k.path(a, "out"))
	r, err := a.Open("out")
	k.must(err)
	defer r.Close()
	a.Release()
	if _, err := io.ReadAll(r); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("read to its end: %v", err)
	}
	if n := k.Stats().Corrupt; n != 1 {
		t.Errorf("%d corruptions were counted", n)
	}
	k.miss("k")
}

// TestStreamReadExactly reads no more bytes than there are: the error must come before the last of them.
func TestStreamReadExactly(t *testing.T) {
	k := newKitchen(t, nil)
	const size = verifiedFirst + 100
	k.put("k", strings.Repeat("x", size))
	a := k.get("k")
	spoil(t, k.path(a, "out"))
	r, err := a.Open("out")
	k.must(err)
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, size)); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("read of exactly all bytes: %v", err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("read after that: %v", err)
	}
}

// TestStreamChangesSize cuts and extends a file while it is streamed.
func TestStreamChangesSize(t *testing.T) {
	for name, size := range map[string]int64{"cut": verifiedFirst, "extended": 2 * verifiedFirst} {
		t.Run(name, func(t *testing.T) {
			k := newKitchen(t, nil)
			k.put("k", strings.Repeat("x", verifiedFirst+100))
			a := k.get("k")
			path := k.path(a, "out")
			r, err := a.Open("out")
			k.must(err)
			defer r.Close()
			_, err = io.ReadFull(r, make([]byte, 1000))
			k.must(errors.Join(err, os.Chmod(path, 0o644), os.Truncate(path, size)))
			if _, err := io.ReadAll(r); !errors.Is(err, cache.ErrCorrupt) {
				t.Errorf("read to its end: %v", err)
			}
		})
	}
}

// TestStreamOutlivesChanges reads on while the key is replaced and deleted, and ends with Close.
func TestStreamOutlivesChanges(t *testing.T) {
	k := newKitchen(t, nil)
	text := strings.Repeat("0123456789", verifiedFirst/5)
	k.put("k", text)
	a := k.get("k")
	r, err := a.Open("out")
	k.must(err)
	head := make([]byte, 1000)
	_, err = io.ReadFull(r, head)
	k.must(err)
	k.put("k", "new")
	k.must(k.Delete(t.Context(), keyOf("k")))
	rest, err := io.ReadAll(r)
	if err != nil || string(head)+string(rest) != text {
		t.Errorf("%d and %d bytes, %v", len(head), len(rest), err)
	}
	k.must(errors.Join(r.Close(), r.Close()))
	if _, err := r.Read(head); err == nil || err == io.EOF {
		t.Errorf("read after close: %v", err)
	}
	k.wantFiles(1)
	a.Release()
	k.wantFiles(0)
}
