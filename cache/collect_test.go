package cache_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache"
)

// TestFailedPutsLeaveNothing ends drafts in each way that stores nothing.
func TestFailedPutsLeaveNothing(t *testing.T) {
	big := strings.Repeat("content ", 1000)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	ends := map[string]func(k *kitchen, d *cache.Draft) error{
		"discarded": func(_ *kitchen, d *cache.Draft) error { d.Discard(); return context.Canceled },
		"cancelled": func(k *kitchen, d *cache.Draft) error { return k.Put(done, keyOf("k"), d) },
		"bad name": func(k *kitchen, d *cache.Draft) error {
			return errors.Join(d.Add("../out", 0o644, strings.NewReader("x")), k.Put(k.t.Context(), keyOf("k"), d))
		},
		"twice the same name": func(k *kitchen, d *cache.Draft) error {
			return errors.Join(d.Add("BIG", 0o644, strings.NewReader("x")), k.Put(k.t.Context(), keyOf("k"), d))
		},
		"too much metadata": func(k *kitchen, d *cache.Draft) error {
			d.SetMetadata(make([]byte, 1<<20))
			return k.Put(k.t.Context(), keyOf("k"), d)
		},
		"of another store": func(k *kitchen, d *cache.Draft) error {
			return newKitchen(k.t, nil).Put(k.t.Context(), keyOf("k"), d)
		},
		"put after close": func(k *kitchen, d *cache.Draft) error {
			return errors.Join(k.Close(k.t.Context()), k.Put(k.t.Context(), keyOf("k"), d))
		},
		"a build that failed": func(k *kitchen, d *cache.Draft) error {
			d.Discard()
			_, err := k.Do(k.t.Context(), keyOf("k"), func(_ context.Context, d *cache.Draft) error {
				return errors.Join(d.Add("out", 0o644, strings.NewReader(big)), errReader)
			})
			return err
		},
		"a build that panicked": func(k *kitchen, d *cache.Draft) error {
			d.Discard()
			_, err := k.Do(k.t.Context(), keyOf("k"), func(_ context.Context, d *cache.Draft) error {
				k.must(d.Add("out", 0o644, strings.NewReader(big)))
				panic("over")
			})
			return err
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			k := newKitchen(t, nil)
			d := k.NewDraft()
			k.must(d.Add("big", 0o644, strings.NewReader(big)))
			d.SetStreams([]byte(big+"out"), []byte(big+"err"), 1)
			if err := end(k, d); err == nil {
				t.Error("no error")
			}
			k.wantFiles(0)
			if st := k.Stats(); st.Entries != 0 || st.Payloads != 0 || st.PayloadBytes != 0 || st.SharedBytes != 0 {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// TestFailedPutOfSharedContent keeps a file that another key refers to.
func TestFailedPutOfSharedContent(t *testing.T) {
	big := strings.Repeat("content ", 1000)
	k := newKitchen(t, nil)
	k.put("other", big)
	d := k.NewDraft()
	k.must(d.Add("out", 0o644, strings.NewReader(big)))
	d.Discard()
	k.wantFiles(1)
	k.want("other", big)
	// And one that another draft has brought in too.
	first, second := k.NewDraft(), k.NewDraft()
	k.must(errors.Join(first.Add("out", 0o644, strings.NewReader(big+"2")), second.Add("out", 0o644, strings.NewReader(big+"2"))))
	first.Discard()
	k.must(k.Put(t.Context(), keyOf("second"), second))
	k.want("second", big+"2")
	k.wantFiles(2)
}

// TestSharedPayload has two keys share one file, which goes with the last of them.
func TestSharedPayload(t *testing.T) {
	big := strings.Repeat("content ", 1000)
	for name, lease := range map[string]bool{"without a lease": false, "with a lease": true} {
		t.Run(name, func(t *testing.T) {
			k := newKitchen(t, nil)
			k.put("a", big)
			k.put("b", big)
			k.wantFiles(1)
			if st := k.Stats(); st.Payloads != 1 || st.PayloadBytes != 8000 || st.SharedBytes != 8000 {
				t.Errorf("stats of two: %+v", st)
			}
			var held *cache.Artifact
			if lease {
				held = k.get("b")
			}
			k.must(k.Delete(t.Context(), keyOf("a")))
			k.miss("a")
			k.want("b", big)
			k.wantFiles(1)
			k.must(k.Delete(t.Context(), keyOf("b")))
			k.miss("b")
			if st := k.Stats(); st.Payloads != 0 || st.PayloadBytes != 0 || st.SharedBytes != 0 || st.Deletes != 2 {
				t.Errorf("stats of none: %+v", st)
			}
			if lease {
				k.wantFiles(1)
				if b, err := held.Bytes("out"); err != nil || string(b) != big {
					t.Errorf("held artifact: %d bytes, %v", len(b), err)
				}
				held.Release()
			}
			k.wantFiles(0)
			k.put("a", big)
			k.want("a", big)
			k.wantFiles(1)
		})
	}
}

// TestPutAgainWhileHeld puts content again while the deleted one is held: the release must not take it.
func TestPutAgainWhileHeld(t *testing.T) {
	big := strings.Repeat("content ", 1000)
	k := newKitchen(t, nil)
	k.put("a", big)
	held := k.get("a")
	k.must(k.Delete(t.Context(), keyOf("a")))
	k.put("b", big)
	held.Release()
	k.want("b", big)
	k.wantFiles(1)
	k.must(k.Delete(t.Context(), keyOf("b")))
	k.wantFiles(0)
}

// TestReplacedWhileHeld keeps the old file until its last holder has left.
func TestReplacedWhileHeld(t *testing.T) {
	old, now := strings.Repeat("old ", 1000), strings.Repeat("new ", 1000)
	k := newKitchen(t, nil)
	k.put("a", old)
	first, second := k.get("a"), k.get("a")
	k.put("a", now)
	k.want("a", now)
	k.wantFiles(2)
	first.Release()
	k.wantFiles(2)
	if b, err := second.Bytes("out"); err != nil || string(b) != old {
		t.Errorf("held artifact: %.20q, %v", b, err)
	}
	second.Release()
	second.Release()
	k.wantFiles(1)
	if _, err := second.Bytes("out"); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("released artifact: %v", err)
	}
}
