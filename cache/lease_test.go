package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/vfs"
)

// readHeld reads all of an artifact that putText has made.
func readHeld(t *testing.T, a *Artifact, want string) {
	t.Helper()
	b, err := a.Bytes("out")
	if err != nil || string(b) != want {
		t.Errorf("held artifact: %.20q, %v, want %.20q", b, err, want)
	}
	if !strings.HasPrefix(want, "multi") {
		return
	}
	if b, err := a.Bytes("more/second"); err != nil || string(b) != strings.Repeat(want, 300) {
		t.Errorf("second output of a held artifact: %.20q, %v", b, err)
	}
}

func hold(t *testing.T, s *Store, name string) *Artifact {
	t.Helper()
	a, err := s.Get(t.Context(), nameKey(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Release)
	return a
}

// TestHeldOverRebuild drops held entries while the index is being rebuilt and does not know them; then their content is
// put once more under another key and deleted there, and their log frames go.
func TestHeldOverRebuild(t *testing.T) {
	for name, moved := range map[string]bool{"where they were put": false, "moved by compaction": true} {
		t.Run(name, func(t *testing.T) {
			s, _ := openMem(t, nil)
			texts := map[string]string{"inline": "small", "file": strings.Repeat("big ", 900), "multi": "multi"}
			held := map[string]*Artifact{}
			for name, text := range texts {
				if err := putText(s, name, text); err != nil {
					t.Fatal(err)
				}
			}
			for name := range texts {
				held[name] = hold(t, s, name)
			}
			if moved {
				die(t, s)
			}
			halfRebuilt(t, s, 0)
			for name := range texts {
				if err := s.Delete(t.Context(), nameKey(name)); err != nil {
					t.Fatal(err)
				}
			}
			s.upkeep.Store(false)
			if err := s.finishRebuild(t.Context()); err != nil {
				t.Fatal(err)
			}
			for name, text := range texts {
				other := "other " + name
				if err := errors.Join(putText(s, other, text), s.Delete(t.Context(), nameKey(other))); err != nil {
					t.Fatal(err)
				}
			}
			die(t, s)
			for name, a := range held {
				readHeld(t, a, texts[name])
			}
		})
	}
}

// TestHeldWhereTheLogLostIt rebuilds the index from a log that has lost a held entry; then the content is put under another
// key and deleted there.
func TestHeldWhereTheLogLostIt(t *testing.T) {
	s, mem := openMem(t, nil)
	text := strings.Repeat("big ", 900)
	if err := putText(s, "k", text); err != nil {
		t.Fatal(err)
	}
	a := hold(t, s, "k")
	halfRebuilt(t, s, 0)
	spoilSegment(t, mem, a.rec.pos.Segment, string(a.rec.digest[:]))
	s.upkeep.Store(false)
	if err := s.finishRebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := getText(s, "k"); got != "" || err != nil {
		t.Fatalf("the log has not lost it: %.20q, %v", got, err)
	}
	if err := errors.Join(putText(s, "other", text), s.Delete(t.Context(), nameKey("other"))); err != nil {
		t.Fatal(err)
	}
	readHeld(t, a, text)
}

// die fills the log until the segments that were there have gone.
func die(t *testing.T, s *Store) {
	t.Helper()
	before := s.flog.End().Segment
	r := newCrashRun(nil, None)
	for range 4 {
		if err := errors.Join(r.fill(s, 20), s.compact(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	if first := s.flog.Segments()[0].ID; first <= before {
		t.Fatalf("segment %d is still there", first)
	}
}

// TestReleaseDuringDrop releases an artifact while a delete is loading what its holder needs. Nothing stays pinned.
func TestReleaseDuringDrop(t *testing.T) {
	s, faults, _ := openFaults(t, nil)
	if err := putText(s, "k", "multi"); err != nil {
		t.Fatal(err)
	}
	a := hold(t, s, "k")
	reads := 0
	faults.SetHook(func(o vfs.Op) vfs.Fault {
		if o.Kind == vfs.OpRead && strings.HasSuffix(o.Path, ".log") {
			if reads++; reads == 2 { // the first tells which files there are
				a.Release()
			}
		}
		return vfs.Fault{}
	})
	if err := s.Delete(t.Context(), nameKey("k")); err != nil || reads < 2 {
		t.Fatal(reads, err)
	}
	if len(s.pay.pins) > 0 {
		t.Errorf("%d files are pinned for ever", len(s.pay.pins))
	}
}

// TestReleaseDuringPath releases an artifact while an inline output of it is being written out.
func TestReleaseDuringPath(t *testing.T) {
	s, faults, _ := openFaults(t, nil)
	if err := putText(s, "k", "small"); err != nil {
		t.Fatal(err)
	}
	a := hold(t, s, "k")
	faults.SetHook(func(o vfs.Op) vfs.Fault {
		if o.Kind == vfs.OpRename {
			a.Release()
		}
		return vfs.Fault{}
	})
	if path, err := a.Path("out"); path != "" || !errors.Is(err, ErrClosed) {
		t.Errorf("%q, %v", path, err)
	}
	if len(s.pay.pins) > 0 {
		t.Errorf("%d files are pinned for ever", len(s.pay.pins))
	}
}

// TestReleaseDuringDeliver releases an artifact between two of its outputs, when its key has another version.
func TestReleaseDuringDeliver(t *testing.T) {
	s, _ := openMem(t, nil)
	if err := putText(s, "k", strings.Repeat("old", 2000)); err != nil {
		t.Fatal(err)
	}
	a := hold(t, s, "k")
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, err = a.Deliver(t.Context(), root, &DeliverOptions{Rename: func(name string) (string, bool) {
		a.Release()
		if err := putText(s, "k", "new"); err != nil {
			t.Error(err)
		}
		return name, true
	}})
	if !errors.Is(err, ErrClosed) || s.Stats().Corrupt > 0 {
		t.Errorf("%v, corrupt: %d", err, s.Stats().Corrupt)
	}
}

// TestEqualOutputs gives one draft the same content twice, and lets go of it once.
func TestEqualOutputs(t *testing.T) {
	s, _ := openMem(t, nil)
	d := s.NewDraft()
	for _, name := range []string{"one", "two"} {
		if err := d.Add(name, 0o644, strings.NewReader(strings.Repeat("x", 5000))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(t.Context(), nameKey("k"), d); err != nil {
		t.Fatal(err)
	}
	if len(s.pay.pins) > 0 {
		t.Errorf("%d files are pinned for ever", len(s.pay.pins))
	}
}

// spoilFrame changes the first byte of an inline output where it stands, in the log or, after a compaction, in the memory
// that keeps what the frame held.
func spoilFrame(t *testing.T, s *Store, mem *vfs.Mem, a *Artifact, text string, moved bool) {
	t.Helper()
	if moved {
		if err := s.compactSegment(t.Context(), a.rec.pos.Segment); err != nil {
			t.Fatal(err)
		}
		(*a.lease.area.Load())[0] ^= 1
		return
	}
	spoilSegment(t, mem, a.rec.pos.Segment, text)
}

// spoilSegment changes a byte of the log where text begins.
func spoilSegment(t *testing.T, mem *vfs.Mem, id uint64, text string) {
	t.Helper()
	name := filepath.Join(crashRoot, "log", fmt.Sprintf("%016x.log", id))
	b, err := readSmall(mem, name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := mem.OpenFile(name, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt([]byte("?"), int64(strings.Index(b, text)))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestInlineIsVerified has every verb meet wrong bytes.
func TestInlineIsVerified(t *testing.T) {
	for _, text := range []string{"small", "multi", "small moved", "multi moved"} {
		verbs := map[string]func(a *Artifact) error{
			"bytes":   func(a *Artifact) error { _, err := a.Bytes("out"); return err },
			"open":    func(a *Artifact) error { _, err := a.Open("out"); return err },
			"path":    func(a *Artifact) error { _, err := a.Path("out"); return err },
			"deliver": func(a *Artifact) error { return deliverTo(t, a) },
		}
		for name, verb := range verbs {
			t.Run(text+" "+name, func(t *testing.T) {
				s, mem := openMem(t, nil)
				if err := errors.Join(putText(s, "k", text), s.flog.Rotate()); err != nil {
					t.Fatal(err)
				}
				a := hold(t, s, "k")
				spoilFrame(t, s, mem, a, text, strings.HasSuffix(text, "moved"))
				if err := verb(a); !errors.Is(err, ErrCorrupt) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

// TestHostExitsInVerb has the host end the goroutine of a verb when it is told of damage: the verb holds the store open no more.
func TestHostExitsInVerb(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		verb func(a *Artifact)
	}{
		"table":  {"multi", func(a *Artifact) { a.Outputs() }},
		"stream": {strings.Repeat("x", verifyFirst+1), func(a *Artifact) { a.Open("out") }},
	} {
		t.Run(name, func(t *testing.T) {
			s, mem := openMem(t, &Options{OnCorrupt: func(Corruption) { runtime.Goexit() }})
			if err := errors.Join(putText(s, "k", c.text), s.flog.Rotate()); err != nil {
				t.Fatal(err)
			}
			a := hold(t, s, "k")
			if a.rec.inline() {
				spoilSegment(t, mem, a.rec.pos.Segment, c.text)
			} else if err := s.fs.Remove(s.blobPath(&a.rec.digest)); err != nil {
				t.Fatal(err)
			}
			over, returned := make(chan struct{}), false
			go func() {
				defer close(over)
				c.verb(a)
				returned = true
			}()
			<-over
			if returned {
				t.Fatal("nobody was told of damage")
			}
			a.Release()
			closed, cancel := context.WithCancel(t.Context())
			cancel() // there is nothing to wait for
			if err := s.Close(closed); err != nil {
				t.Error(err)
			}
		})
	}
}

func deliverTo(t *testing.T, a *Artifact) error {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, err = a.Deliver(t.Context(), root, nil)
	return err
}

// TestTableIsVerified changes a table that is a payload file so that it still parses, and names another output.
func TestTableIsVerified(t *testing.T) {
	s := uncleanStore(t, t.TempDir(), nil)
	t.Cleanup(func() { s.Close(context.Background()) }) // after the release
	d := s.NewDraft()
	for i := range 100 {
		if err := d.Add(fmt.Sprintf("out%03d", i), 0o644, strings.NewReader("small")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(t.Context(), nameKey("k"), d); err != nil {
		t.Fatal(err)
	}
	files := payloadFiles(t, s.dir)
	if len(files) != 1 {
		t.Fatal(files)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	wrong := bytes.Replace(b, []byte("out050"), []byte("out999"), 1)
	if err := errors.Join(os.Remove(files[0]), os.WriteFile(files[0], wrong, 0o444)); err != nil {
		t.Fatal(err)
	}
	if list, err := hold(t, s, "k").Outputs(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%d outputs of a table with a wrong name, %v", len(list), err)
	}
}

// busyIndex lets something happen between the moment when a value was read and the moment when it is returned.
type busyIndex struct {
	*index.Mem
	meanwhile func()
}

func (x *busyIndex) Get(key, dst []byte) ([]byte, bool, error) {
	value, ok, err := x.Mem.Get(key, dst)
	if do := x.meanwhile; do != nil && key[0] == prefixArtifact {
		x.meanwhile = nil
		do()
	}
	return value, ok, err
}

// TestGetDuringReplacement replaces, deletes and puts an entry after a get has read its record and before it is
// returned: the get must not end up with a version that nobody keeps for it.
func TestGetDuringReplacement(t *testing.T) {
	const old = "multi old"
	cases := map[string]struct {
		meanwhile func(s *Store) error
		want      string
	}{
		"replaced": {func(s *Store) error { return putText(s, "k", "multi new") }, "multi new"},
		"deleted":  {func(s *Store) error { return s.Delete(context.Background(), nameKey("k")) }, ""},
		"deleted and put": {func(s *Store) error {
			return errors.Join(s.Delete(context.Background(), nameKey("k")), putText(s, "k", "multi new"))
		}, "multi new"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ix := &busyIndex{Mem: index.NewMem()}
			s, err := open(t.Context(), crashRoot, mustDefaults(t, nil), seams{fs: vfs.NewMem("/d"),
				openIndex: func() (index.Index, error) { return ix, nil }})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(t.Context())
			if err := putText(s, "k", old); err != nil {
				t.Fatal(err)
			}
			s.commitMu.Lock()
			err = s.flush(false)
			s.commitMu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			ix.meanwhile = func() {
				if err := c.meanwhile(s); err != nil {
					t.Error(err)
				}
			}
			if got, err := getText(s, "k"); err != nil || got != c.want || ix.meanwhile != nil {
				t.Errorf("get: %q, %v, want %q", got, err, c.want)
			}
			if st := s.Stats(); st.Leases != 0 || st.Corrupt != 0 || len(s.pay.pins) > 0 {
				t.Errorf("afterwards: %+v, %d files are pinned", st, len(s.pay.pins))
			}
		})
	}
}

// TestCloseWaitsForRun closes the store while Run is calling the host back.
func TestCloseWaitsForRun(t *testing.T) {
	called, goOn := make(chan struct{}), make(chan struct{})
	s, err := Open(t.Context(), t.TempDir(), &Options{OnCorrupt: func(Corruption) {
		close(called)
		<-goOn
	}})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- s.Run(context.Background()) }()
	s.report(Corruption{Reason: "told so by the test"})
	s.distrust(errors.New("so that Run has something to do"))
	s.wakeRun()
	<-called
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("close while Run is in the host's code: %v", err)
	}
	select {
	case <-s.life.done:
		t.Error("the store is closed while Run is in the host's code")
	default:
	}
	close(goOn)
	if err := errors.Join(s.Close(t.Context()), <-ran); err != nil {
		t.Error(err)
	}
}
