package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
)

// TestInlineOrFile stores outputs of sizes around each threshold, and counts the payload files.
func TestInlineOrFile(t *testing.T) {
	cases := map[string]struct {
		below  int
		never  bool
		inline []int
		file   []int
	}{
		"default":                {below: 0, inline: []int{0, 1, 1024}, file: []int{1025, 5000}},
		"one byte":               {below: 1, inline: []int{0, 1}, file: []int{2}},
		"largest":                {below: 4096, inline: []int{4096}, file: []int{4097}},
		"none":                   {below: -1, file: []int{0, 1, 1024}},
		"far below none":         {below: -1000, file: []int{0, 1}},
		"NeverInline":            {below: 0, never: true, file: []int{0, 1, 1024, 1025}},
		"NeverInline of largest": {below: 4096, never: true, file: []int{0, 4096}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			k := newKitchen(t, &cache.Options{InlineBelow: c.below})
			put := func(size int) {
				d := k.NewDraft()
				if c.never {
					d.NeverInline()
				}
				k.must(d.Add("out", 0o644, strings.NewReader(strings.Repeat("x", size))))
				k.must(k.Put(t.Context(), keyOf(fmt.Sprint(size)), d))
			}
			for _, size := range c.inline {
				put(size)
			}
			k.wantFiles(0)
			for _, size := range c.file {
				put(size)
			}
			k.wantFiles(len(c.file))
			for _, size := range append(c.inline, c.file...) {
				k.want(fmt.Sprint(size), strings.Repeat("x", size))
			}
			if st := k.Stats(); st.Payloads != int64(len(c.file)) || st.Corrupt != 0 {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// TestInlineBelowRefused refuses what a record cannot hold.
func TestInlineBelowRefused(t *testing.T) {
	_, err := cache.Open(t.Context(), t.TempDir(), &cache.Options{InlineBelow: 4097})
	if err == nil || !strings.Contains(err.Error(), "InlineBelow") {
		t.Errorf("open: %v", err)
	}
}

// TestInlineTotal keeps an artifact of many small outputs from growing its log frame without end.
func TestInlineTotal(t *testing.T) {
	k := newKitchen(t, &cache.Options{InlineBelow: 4096})
	d := k.NewDraft()
	for i := range 200 {
		k.must(d.Add(fmt.Sprint("f", i), 0o644, strings.NewReader(fmt.Sprintf("%04096d", i))))
	}
	k.must(k.Put(t.Context(), keyOf("many"), d))
	a := k.get("many")
	for i := range 200 {
		if b, err := a.Bytes(fmt.Sprint("f", i)); err != nil || string(b) != fmt.Sprintf("%04096d", i) {
			t.Fatalf("output %d: %.20q, %v", i, b, err)
		}
	}
	if n := k.Stats().Payloads; n < 130 || n > 140 {
		t.Errorf("%d of 200 outputs are files: 256 KiB go inline", n)
	}
}

// TestSmallestArtifacts stores artifacts without outputs and outputs without bytes, and reads them after a reopening.
func TestSmallestArtifacts(t *testing.T) {
	k := newKitchen(t, nil)
	k.must(k.Put(t.Context(), keyOf("nothing"), k.NewDraft()))
	d := k.NewDraft()
	d.SetStreams([]byte("said"), []byte("cried"), -7)
	d.SetMetadata([]byte("meant"))
	d.SetCost(time.Minute)
	k.must(k.Put(t.Context(), keyOf("streams"), d))
	d = k.NewDraft()
	k.must(d.Add("empty", 0o755, bytes.NewReader(nil)))
	k.must(k.Put(t.Context(), keyOf("empty file"), d))
	for range 2 {
		checkSmallest(t, k)
		k.reopen(nil)
	}
}

func checkSmallest(t *testing.T, k *kitchen) {
	t.Helper()
	for name, outputs := range map[string]int{"nothing": 0, "streams": 0, "empty file": 1} {
		a := k.get(name)
		list, err := a.Outputs()
		if err != nil || len(list) != outputs || a.Entry().Outputs != outputs {
			t.Errorf("%s: %v, %v, entry %+v", name, list, err, a.Entry())
		}
		if _, err := a.Output("absent"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: absent output: %v", name, err)
		}
		a.Release()
	}
	a := k.get("streams")
	defer a.Release()
	stdout, err1 := a.Stdout()
	stderr, err2 := a.Stderr()
	meta, err3 := a.Metadata()
	got := fmt.Sprintf("%s %s %s %d %v", stdout, stderr, meta, a.ExitCode(), a.Cost())
	if err := errors.Join(err1, err2, err3); err != nil || got != "said cried meant -7 1m0s" {
		t.Errorf("streams: %s, %v", got, err)
	}
	f := k.get("empty file")
	defer f.Release()
	o, err := f.Output("empty")
	if err != nil || o.Mode != 0o755 || o.Size != 0 {
		t.Errorf("empty file: %+v, %v", o, err)
	}
	if b, err := f.Bytes("empty"); err != nil || len(b) != 0 {
		t.Errorf("empty file: %q, %v", b, err)
	}
}

// TestMetadataLimit takes 64 KiB and fails the draft for one byte more.
func TestMetadataLimit(t *testing.T) {
	k := newKitchen(t, nil)
	d := k.NewDraft()
	d.SetMetadata(bytes.Repeat([]byte("m"), 64<<10))
	k.must(k.Put(t.Context(), keyOf("k"), d))
	d = k.NewDraft()
	d.SetMetadata(make([]byte, 64<<10+1))
	if err := k.Put(t.Context(), keyOf("too much"), d); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("put: %v", err)
	}
	k.miss("too much")
}

// TestManyOutputs stores 100,000 outputs as one artifact, most of them with equal contents.
func TestManyOutputs(t *testing.T) {
	const n = 100_000
	k := newKitchen(t, nil)
	d := k.NewDraft()
	for i := range n {
		k.must(d.Add(fmt.Sprintf("dir%d/file%d.o", i%97, i), 0o644, strings.NewReader(fmt.Sprint(i%50))))
	}
	k.must(k.Put(t.Context(), keyOf("many"), d))
	k.reopen(nil)
	a := k.get("many")
	list, err := a.Outputs()
	if err != nil || len(list) != n || a.Entry().Outputs != n {
		t.Fatalf("%d outputs, %v", len(list), err)
	}
	for i := 0; i < n; i += 9999 {
		name := fmt.Sprintf("dir%d/file%d.o", i%97, i)
		b, err := a.Bytes(name)
		if err != nil || string(b) != fmt.Sprint(i%50) || list[i].Name != name {
			t.Fatalf("output %d is %q: %q, %v", i, list[i].Name, b, err)
		}
	}
	a.Release()
	k.must(k.Delete(t.Context(), keyOf("many")))
	k.wantFiles(0)
}

// TestStreamsSetAgain leaves nothing of what a draft was told first, unless an output is the same.
func TestStreamsSetAgain(t *testing.T) {
	k := newKitchen(t, nil)
	long := func(c string) []byte { return bytes.Repeat([]byte(c), 2000) }
	d := k.NewDraft()
	k.must(d.Add("out", 0o644, bytes.NewReader(long("o"))))
	for _, c := range []string{"a", "o", "b", "c"} {
		d.SetStreams(long(c), long("e"), 0)
		d.SetMetadata(long(c))
	}
	d.SetMetadata(nil)
	k.wantFiles(3)
	k.must(k.Put(t.Context(), keyOf("k"), d))
	d.SetStreams(nil, long("late"), 0)
	k.wantFiles(3)
	k.want("k", string(long("o")))
	a := k.get("k")
	defer a.Release()
	for want, read := range map[string]func() ([]byte, error){"c": a.Stdout, "e": a.Stderr, "": a.Metadata} {
		if got, err := read(); !bytes.Equal(got, long(want)) || err != nil {
			t.Errorf("got %.5q and %v, want %q", got, err, want)
		}
	}
	if st := k.Stats(); st.Payloads != 3 {
		t.Errorf("stats: %+v", st)
	}
}
