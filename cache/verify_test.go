package cache_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
)

// TestVerify finds damaged payload files, tables and inline outputs, and nothing else.
func TestVerify(t *testing.T) {
	var told []cache.Corruption
	k := newKitchen(t, &cache.Options{OnCorrupt: func(c cache.Corruption) { told = append(told, c) }})
	for i := range 20 {
		k.put(fmt.Sprint("file", i), strings.Repeat(fmt.Sprint(i, " "), 2000))
		k.put(fmt.Sprint("inline", i), fmt.Sprint("inline content ", i))
	}
	rep, err := k.Verify(t.Context(), nil)
	if err != nil || rep.Entries != 40 || rep.Corrupt != 0 || rep.Orphans != 0 || rep.Bytes < 20*4000 {
		t.Fatalf("sound store: %+v, %v", rep, err)
	}
	for i, harm := range []func(string) error{
		func(p string) error { spoil(t, p); return nil },
		func(p string) error { return os.Remove(p) },
		func(p string) error { return rewrite(p, "short", true) },
	} {
		a := k.get(fmt.Sprint("file", i))
		k.must(harm(k.path(a, "out")))
		a.Release()
	}
	k.spoilLog("inline content 7")
	last := cache.VerifyReport{}
	rep, err = k.Verify(t.Context(), &cache.VerifyOptions{Progress: func(r cache.VerifyReport) { last = r }})
	if err != nil || rep.Entries != 40 || rep.Corrupt != 4 || len(told) != 4 || last != rep {
		t.Errorf("damaged store: %+v, %v, last progress %+v, told of %+v", rep, err, last, told)
	}
	for i := range 20 {
		if i < 3 {
			k.miss(fmt.Sprint("file", i))
		} else {
			k.want(fmt.Sprint("file", i), strings.Repeat(fmt.Sprint(i, " "), 2000))
		}
		if i == 7 {
			k.miss("inline7")
		} else {
			k.want(fmt.Sprint("inline", i), fmt.Sprint("inline content ", i))
		}
	}
	if rep, err = k.Verify(t.Context(), nil); err != nil || rep.Entries != 36 || rep.Corrupt != 0 {
		t.Errorf("once more: %+v, %v", rep, err)
	}
}

// spoilLog changes a byte of the log where it holds text.
func (k *kitchen) spoilLog(text string) {
	k.t.Helper()
	logs, err := filepath.Glob(filepath.Join(k.root, "log", "*.log"))
	k.must(err)
	for _, name := range logs {
		b, err := os.ReadFile(name)
		k.must(err)
		at := strings.Index(string(b), text)
		if at < 0 {
			continue
		}
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		k.must(err)
		_, err = f.WriteAt([]byte{b[at] ^ 1}, int64(at))
		k.must(errors.Join(err, f.Close()))
		return
	}
	k.t.Fatalf("the log does not hold %q", text)
}

// TestVerifyRate reads no faster than it was told.
func TestVerifyRate(t *testing.T) {
	k := newKitchen(t, nil)
	for i := range 4 {
		k.put(fmt.Sprint(i), strings.Repeat(fmt.Sprint(i), 50_000))
	}
	start := time.Now()
	rep, err := k.Verify(t.Context(), &cache.VerifyOptions{BytesPerSecond: 1_000_000})
	if took := time.Since(start); err != nil || rep.Bytes != 200_000 || took < 199*time.Millisecond {
		t.Errorf("%+v in %v, %v", rep, took, err)
	}
}

// TestVerifyCancelled ends with the report so far.
func TestVerifyCancelled(t *testing.T) {
	k := newKitchen(t, nil)
	for i := range 4 {
		k.put(fmt.Sprint(i), strings.Repeat(fmt.Sprint(i), 50_000))
	}
	errStop := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errStop)
	defer cancel()
	rep, err := k.Verify(ctx, &cache.VerifyOptions{BytesPerSecond: 1000})
	if !errors.Is(err, errStop) || rep.Entries != 1 || rep.Bytes != 50_000 {
		t.Errorf("%+v, %v", rep, err)
	}
	if st := k.Stats(); st.Leases != 0 || st.Corrupt != 0 {
		t.Errorf("stats: %+v", st)
	}
}
