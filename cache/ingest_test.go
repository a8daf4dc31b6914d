package cache

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/vfs"
)

// TestKnownContentMakesNoFile puts content under a second key. Up to a chunk of it is in memory
// before a file is made, and then none is.
func TestKnownContentMakesNoFile(t *testing.T) {
	var made atomic.Int64
	faults := vfs.NewFaults(vfs.NewMem("/d"), func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpOpen && op.Flag&os.O_CREATE != 0 && strings.Contains(op.Path, "tmp") {
			made.Add(1)
		}
		return vfs.Fault{}
	})
	s := openOn(t, faults, nil)
	for _, c := range []struct {
		name       string
		size       int
		first, two int64 // files made by the first put, and by both
	}{
		{"inline", 100, 0, 0},
		{"small", 5000, 1, 1},
		{"one byte less than a chunk", chunk - 1, 1, 1},
		{"a chunk and a byte", chunk + 1, 1, 2},
	} {
		text := strings.Repeat("x", c.size)
		for i, want := range []int64{c.first, c.two} {
			if i == 0 {
				made.Store(0)
			}
			if err := putText(s, c.name+strings.Repeat("'", i), text); err != nil {
				t.Fatal(err)
			}
			if got := made.Load(); got != want {
				t.Errorf("%s: %d files made by %d puts, want %d", c.name, got, i+1, want)
			}
		}
		if got, err := getText(s, c.name+"'"); got != text || err != nil {
			t.Errorf("%s: got %d bytes, error %v", c.name, len(got), err)
		}
	}
}

// TestTmpNames names as many temporary files as a store needs for all names of three and four letters: Windows opens a device where a
// name is that of one, in any folder.
func TestTmpNames(t *testing.T) {
	s, _ := openMem(t, nil)
	for range 100_000 {
		path, err := s.tmpPath()
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(path); reservedOnWindows(name) {
			t.Fatalf("%s is a device", name)
		}
	}
}

// panicReader breaks the rules of its host.
type panicReader struct{ n int }

func (r *panicReader) Read(p []byte) (int, error) {
	if r.n--; r.n < 0 {
		panic("reader")
	}
	return len(p), nil
}

// TestPanickingReader leaves no file behind, and a draft that cannot be put.
func TestPanickingReader(t *testing.T) {
	s, mem := openMem(t, nil)
	d := s.NewDraft()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not come through")
			}
		}()
		d.Add("out", 0o644, &panicReader{n: 3})
	}()
	if err := s.Put(t.Context(), nameKey("k"), d); !errors.Is(err, errAddEnded) {
		t.Errorf("put: %v", err)
	}
	if left, err := mem.ReadDir(crashRoot + "/tmp/1"); len(left) > 0 || err != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestDamagedStays puts content again whose damaged file could not be removed: the file must not be taken for sound.
func TestDamagedStays(t *testing.T) {
	faults := vfs.NewFaults(vfs.NewMem("/d"), nil)
	s := openOn(t, faults, &Options{VerifyAfter: -1})
	text := strings.Repeat("file ", 1000)
	for _, name := range []string{"k", "shares the file"} {
		if err := putText(s, name, text); err != nil {
			t.Fatal(err)
		}
	}
	key, r := nameKey("k"), record{}
	if _, err := s.current(&key, &r); err != nil {
		t.Fatal(err)
	}
	d := r.digest
	path := s.blobPath(&d)
	harmInPlace(t, s, &d, path)
	faults.SetHook(vfs.When(func(o vfs.Op) bool { return o.Kind == vfs.OpRemove && o.Path == path }, vfs.Fault{Err: errors.New("busy")}))
	if got, err := getText(s, "k"); got != "" || err != nil {
		t.Fatalf("get of damaged content: %.20q, %v", got, err)
	}
	if err := putText(s, "again", text); err != nil {
		t.Fatal(err)
	}
	if got, err := getText(s, "again"); got != text || err != nil {
		t.Errorf("get after it was put again: %.20q, %v", got, err)
	}
}

// harmInPlace changes a byte of a payload file and the record of its time, so that only its bytes tell.
func harmInPlace(t *testing.T, s *Store, d *Digest, path string) {
	t.Helper()
	f, err := s.fs.OpenFile(path, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write([]byte("F")); err != nil {
		t.Fatal(err)
	}
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := s.payload(d)
	if err != nil {
		t.Fatal(err)
	}
	p.identify(fi)
	s.setPayload(d, &p)
}

// TestContentIsLookedForOnce counts what a put asks the system about payload files: nothing where the content is new, once where a
// draft or an entry has it, and then no file is made.
func TestContentIsLookedForOnce(t *testing.T) {
	var looks, files int
	faults := vfs.NewFaults(vfs.NewMem("/d"), func(o vfs.Op) vfs.Fault {
		switch {
		case o.Kind == vfs.OpLstat && strings.Contains(filepath.ToSlash(o.Path), "/blobs/"):
			looks++
		case o.Kind == vfs.OpOpen && o.Flag&os.O_CREATE != 0 && strings.Contains(o.Path, "tmp"):
			files++
		}
		return vfs.Fault{}
	})
	s := openOn(t, faults, nil)
	looks, files = 0, 0
	add := func(what string, wantLooks int) *Draft {
		t.Helper()
		d := s.NewDraft()
		if err := d.Add("out", 0o644, strings.NewReader(strings.Repeat("0123456789", 500))); err != nil {
			t.Fatal(err)
		}
		if looks != wantLooks || files != 1 {
			t.Errorf("%s: %d looks, %d files", what, looks, files)
		}
		return d
	}
	first := add("new content", 0)
	add("content of another draft", 1).Discard()
	if err := s.Put(t.Context(), nameKey("a"), first); err != nil {
		t.Fatal(err)
	}
	add("content of an entry", 2).Discard()
}

// TestContentOfAnUnknownEntry puts content whose file an entry has that the index does not know yet, or cannot be asked about: the
// file is not replaced by one that is not durable.
func TestContentOfAnUnknownEntry(t *testing.T) {
	big := strings.Repeat("0123456789", chunk/5) // is looked for only once
	for name, open := range map[string]func(mem *vfs.Mem) *Store{
		"rebuild": func(mem *vfs.Mem) *Store { return openOver(t, mem, index.NewMem()) },
		"damage": func(mem *vfs.Mem) *Store {
			s := openTree(t, mem, nil, 0)
			key := indexKey(prefixPayload, (*[32]byte)(new(Digest(sha256.Sum256([]byte(big))))))
			err := s.withIndex(func(ix index.Index) error { return ix.Apply(nil, index.Op{Key: key[:], Value: []byte("x")}) })
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		"no descriptors": func(mem *vfs.Mem) *Store {
			faults := vfs.NewFaults(mem, nil)
			s := openTree(t, faults, nil, 0)
			if err := parked(s); err != nil {
				t.Fatal(err)
			}
			faults.SetHook(vfs.When(func(o vfs.Op) bool {
				return o.Kind == vfs.OpOpen && strings.Contains(filepath.ToSlash(o.Path), "/index/")
			}, vfs.Fault{Err: syscall.EMFILE}))
			return s
		},
	} {
		mem := vfs.NewMem("/d")
		s := openTree(t, mem, nil, 0)
		if err := errors.Join(putText(s, "k", big), s.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		d := open(mem).NewDraft()
		if err := d.Add("out", 0o644, strings.NewReader(big)); err != nil {
			t.Fatal(err)
		}
		if got := textAfter(t, mem.Crash(vfs.Loss{Entries: vfs.Kept}), "k"); got != big {
			t.Errorf("%s: after a power loss: %.20q", name, got)
		}
		d.Discard()
	}
}

// addAndLose brings in content and returns the tree that a power loss leaves before the new file is synced, when meanwhile was
// called.
func addAndLose(t *testing.T, s *Store, faults *vfs.Faults, mem *vfs.Mem, text string, meanwhile func() error) (lost *vfs.Mem) {
	t.Helper()
	renamed := false
	faults.SetHook(func(o vfs.Op) vfs.Fault {
		if o.Kind == vfs.OpOpen && strings.Contains(filepath.ToSlash(o.Path), "/blobs/") && !renamed { // to sync it
			renamed = true
			if err := meanwhile(); err != nil {
				t.Error(err)
			}
			lost = mem.Crash(vfs.Loss{Entries: vfs.Kept})
		}
		return vfs.Fault{}
	})
	addText(t, s, text).Discard()
	if lost == nil {
		t.Fatal("no file was synced")
	}
	return lost
}

func addText(t *testing.T, s *Store, text string) *Draft {
	t.Helper()
	d := s.NewDraft()
	if err := d.Add("out", 0o644, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestContentBesideADiscard gives up one of two drafts of a content and puts the other durably while a third replaces the file.
func TestContentBesideADiscard(t *testing.T) {
	mem, big := vfs.NewMem("/d"), strings.Repeat("0123456789", 500)
	faults := vfs.NewFaults(mem, nil)
	s := openTree(t, faults, &Options{Durability: Always}, 0)
	first, second := addText(t, s, big), addText(t, s, big)
	first.Discard()
	lost := addAndLose(t, s, faults, mem, big, func() error { return s.Put(t.Context(), nameKey("k"), second) })
	if got := textAfter(t, lost, "k"); got != big {
		t.Errorf("after a power loss: %.20q", got)
	}
}

// TestContentThatAFailedLogMayName puts content durably, then has the log fail with what replaces it: which of the two the next
// life finds is open, so bringing the content in again must not harm its file.
func TestContentThatAFailedLogMayName(t *testing.T) {
	mem, big := vfs.NewMem("/d"), strings.Repeat("0123456789", 500)
	faults := vfs.NewFaults(mem, nil)
	s := openTree(t, faults, &Options{Durability: Always}, 0)
	if err := putText(s, "k", big); err != nil {
		t.Fatal(err)
	}
	faults.SetHook(vfs.When(func(o vfs.Op) bool {
		return strings.Contains(filepath.ToSlash(o.Path), "/log/") && (o.Kind == vfs.OpSync || o.Flag&os.O_CREATE != 0)
	}, vfs.Fault{Err: errIO}))
	if err := putText(s, "k", "inline"); !errors.Is(err, errIO) {
		t.Fatal(err)
	}
	lost := addAndLose(t, s, faults, mem, big, func() error { return nil })
	if got := textAfter(t, lost, "k"); got != big {
		t.Errorf("after a power loss: %.20q", got)
	}
}

// TestContentThatAKilledLifeReplaced kills a process between the log's taking of what replaces a durable entry and the fsync. The
// next process does not find the earlier content in its index, and yet a power loss brings that entry back while the log is not
// durable: bringing the content in again must not harm its file.
func TestContentThatAKilledLifeReplaced(t *testing.T) {
	big := strings.Repeat("0123456789", 500)
	nothing := func() error { return nil }
	for name, run := range map[string]func(*Store, *vfs.Faults, *vfs.Mem) *vfs.Mem{
		"at once": func(s *Store, faults *vfs.Faults, mem *vfs.Mem) *vfs.Mem {
			return addAndLose(t, s, faults, mem, big, nothing)
		},
		"as the log is synced": func(s *Store, faults *vfs.Faults, mem *vfs.Mem) (lost *vfs.Mem) {
			faults.SetHook(func(o vfs.Op) vfs.Fault {
				if o.Kind == vfs.OpSync && strings.HasSuffix(o.Path, ".log") && lost == nil {
					lost = addAndLose(t, s, faults, mem, big, nothing)
				}
				return vfs.Fault{}
			})
			if err := s.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			return lost
		},
	} {
		mem := vfs.NewMem("/d")
		faults := vfs.NewFaults(mem, nil)
		s := openTree(t, faults, &Options{Durability: Always}, 0)
		if err := putText(s, "k", big); err != nil {
			t.Fatal(err)
		}
		flushNow(t, s)
		faults.SetHook(vfs.When(func(o vfs.Op) bool {
			return o.Kind == vfs.OpSync && strings.HasSuffix(o.Path, ".log")
		}, vfs.Fault{Crash: true}))
		if err := putText(s, "k", "inline"); err == nil {
			t.Fatal("the process was not killed")
		}
		mem = mem.Kill()
		faults = vfs.NewFaults(mem, nil)
		s = openTree(t, faults, &Options{Durability: Always}, 0)
		if got := textAfter(t, run(s, faults, mem), "k"); got != big {
			t.Errorf("%s: after a power loss: %.20q", name, got)
		}
	}
}

// lateIndex tells that it knows nothing of a payload only when something else has been done.
type lateIndex struct {
	index.Index
	meanwhile *func()
}

func (x lateIndex) Get(key, dst []byte) ([]byte, bool, error) {
	v, ok, err := x.Index.Get(key, dst)
	if f := *x.meanwhile; f != nil && !ok && key[0] == prefixPayload {
		*x.meanwhile = nil
		f()
	}
	return v, ok, err
}

// TestContentAtTheEndOfARebuild has a rebuild of the index end just after the index was asked for a content: that it knew nothing
// then tells nothing.
func TestContentAtTheEndOfARebuild(t *testing.T) {
	mem, big := vfs.NewMem("/d"), strings.Repeat("0123456789", chunk/5)
	var meanwhile func()
	s, err := open(t.Context(), crashRoot, mustDefaults(t, nil), seams{fs: mem,
		openIndex: func() (index.Index, error) { return lateIndex{index.NewMem(), &meanwhile}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	if err := errors.Join(putText(s, "k", big), s.Sync(t.Context())); err != nil {
		t.Fatal(err)
	}
	s.distrust(errors.New("lost by the test"))
	s.commitMu.Lock()
	err = s.replaceDamaged()
	s.commitMu.Unlock()
	meanwhile = func() { err = errors.Join(err, s.finishRebuild(t.Context())) }
	addText(t, s, big).Discard()
	if err != nil || meanwhile != nil || s.incomplete() {
		t.Fatalf("not rebuilt: %v", err)
	}
	if got := textAfter(t, mem.Crash(vfs.Loss{Entries: vfs.Kept}), "k"); got != big {
		t.Errorf("after a power loss: %.20q", got)
	}
}

// lateReader fails, or panics, after some bytes and writes what it was given to read into when it is told so: a wrapper that stops
// waiting for a read that goes on.
type lateReader struct {
	n      int
	panics bool
	late   []byte
}

func (r *lateReader) Read(p []byte) (int, error) {
	if n := min(r.n, len(p)); n > 0 {
		r.n -= n
		return n, nil
	}
	r.late = p
	if r.panics {
		panic("read")
	}
	return 0, errIO
}

// TestLateReader has a reader write after it has failed: no other draft reads its content with that memory.
func TestLateReader(t *testing.T) {
	s, _ := openMem(t, nil)
	for _, n := range []int{0, head, chunk, 2 * chunk} {
		for _, panics := range []bool{false, true} {
			late := &lateReader{n: n, panics: panics}
			func() {
				defer func() { recover() }()
				if err := s.NewDraft().Add("out", 0o644, late); !errors.Is(err, errIO) {
					t.Error(err)
				}
			}()
			big := strings.Repeat("0123456789", 4*chunk/10)
			r := strings.NewReader(big)
			d := s.NewDraft()
			err := d.Add("out", 0o644, readerFunc(func(p []byte) (int, error) {
				m, err := r.Read(p)
				copy(late.late, "late")
				return m, err
			}))
			if err = errors.Join(err, s.Put(t.Context(), nameKey("k"), d)); err != nil {
				t.Fatal(err)
			}
			if got, err := getText(s, "k"); got != big || err != nil {
				t.Errorf("%d bytes, panics %v: %.20q, %v", n, panics, got, err)
			}
		}
	}
}

// TestWaitingDrafts has many drafts wait for content of which a byte has come: a chunk for each would be much memory.
func TestWaitingDrafts(t *testing.T) {
	s, _ := openMem(t, nil)
	const drafts = 256
	var adding sync.WaitGroup
	defer adding.Wait()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range drafts {
		r, w := io.Pipe()
		adding.Go(func() { s.NewDraft().Add("out", 0o644, r) })
		defer w.CloseWithError(errIO)
		w.Write([]byte("x"))
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / drafts; n > chunk/8 {
		t.Errorf("%d bytes for each draft", n)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// olderSystem cannot give a file a new name only.
type olderSystem struct{ vfs.FS }

func (olderSystem) RenameNew(oldname, newname string) error {
	return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: errors.ErrUnsupported}
}

// TestContentWhereNamesAreReplaced puts content where the system can only replace a name, and content that stands there already.
func TestContentWhereNamesAreReplaced(t *testing.T) {
	mem, big := vfs.NewMem("/d"), strings.Repeat("0123456789", 500)
	s := openTree(t, olderSystem{mem}, nil, 0)
	for _, name := range []string{"a", "b"} {
		if err := putText(s, name, big); err != nil {
			t.Fatal(err)
		}
		if got, err := getText(s, name); got != big || err != nil {
			t.Errorf("%s: %.20q, %v", name, got, err)
		}
	}
}

// TestTemporaryFolders counts the folders that a store makes for temporary files: two for each processor.
func TestTemporaryFolders(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	made := 0
	s := openOn(t, vfs.NewFaults(vfs.NewMem("/d"), func(o vfs.Op) vfs.Fault {
		if o.Kind == vfs.OpMkdir && filepath.Base(filepath.Dir(o.Path)) == "tmp" {
			made++
		}
		return vfs.Fault{}
	}), nil)
	for i := range 2 * maxTmpFolders {
		if err := putText(s, "k", strings.Repeat("0123456789", 500+i)); err != nil {
			t.Fatal(err)
		}
	}
	if made != 2 {
		t.Errorf("%d folders", made)
	}
}
