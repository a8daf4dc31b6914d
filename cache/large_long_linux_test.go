//go:build long

package cache_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// pattern is a reader of n bytes, no block of which is like another.
type pattern struct{ at, n int64 }

func (p *pattern) Read(b []byte) (int, error) {
	if p.at == p.n {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), p.n-p.at)]
	for i := 0; i+8 <= len(b); i += 4096 {
		binary.LittleEndian.PutUint64(b[i:], uint64(p.at)+uint64(i))
	}
	p.at += int64(len(b))
	return len(b), nil
}

// memory reads one line of /proc/self/status, in bytes.
func memory(t *testing.T, line string) (n int64) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), line+":")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// TestLargeOutput stores, streams, checks and delivers one output of 8 GiB, in no more memory than a small one takes.
func TestLargeOutput(t *testing.T) {
	const size, bound = 8 << 30, 32 << 20
	k := newKitchen(t, nil)
	k.put("warm", strings.Repeat("x", 4<<20)) // what the first of any size takes
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Skip("the peak of memory cannot be reset:", err)
	}
	before := memory(t, "VmRSS")
	check := func(what string) {
		t.Helper()
		if grown := memory(t, "VmHWM") - before; grown > bound {
			t.Errorf("after %s memory has grown by %d MiB", what, grown>>20)
		}
	}
	d := k.NewDraft()
	k.must(d.AddSized("out", 0o644, size, &pattern{n: size}))
	k.must(k.Put(t.Context(), keyOf("large"), d))
	check("put")
	a := k.get("large")
	r, err := a.Open("out")
	k.must(err)
	n, err := io.Copy(io.Discard, r)
	if err = errors.Join(err, r.Close()); err != nil || n != size {
		t.Errorf("%d bytes, %v", n, err)
	}
	check("open")
	k.path(a, "out")
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	k.must(err)
	defer root.Close()
	_, err = a.Deliver(t.Context(), root, nil)
	k.must(err)
	if fi, err := root.Stat("out"); err != nil || fi.Size() != size {
		t.Errorf("delivered: %v, %v", fi, err)
	}
	check("deliver")
}
