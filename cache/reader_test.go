package cache_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache"
)

// TestReaderOutlivesRelease reads on after the lease is given back and the entry is deleted, while
// Close waits.
func TestReaderOutlivesRelease(t *testing.T) {
	k := newKitchen(t, nil)
	text := strings.Repeat("large ", 1<<18)
	k.put("a", text)
	a := k.get("a")
	r, err := a.Open("out")
	k.must(err)
	a.Release()
	k.must(k.Delete(t.Context(), keyOf("a")))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err = k.Close(ended)
	if _, held := errors.AsType[*cache.HeldError](err); held || !errors.Is(err, context.Canceled) {
		t.Errorf("close beside an open reader: %v", err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != text {
		t.Errorf("read %d bytes of %d, %v", len(b), len(text), err)
	}
	k.must(r.Close())
	k.must(k.Close(t.Context()))
}
