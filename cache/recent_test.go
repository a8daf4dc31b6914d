package cache

import (
	"encoding/binary"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// TestRecentTable compares the table with a map: what it still has is right, and it has as much as its limit allows.
func TestRecentTable(t *testing.T) {
	rng := testkit.Rand(t)
	c := recent[int]{limit: 128}
	model := map[[32]byte]int{}
	name := func(i int) (key [32]byte) {
		binary.LittleEndian.PutUint32(key[1:], uint32(i)*2654435761)
		return key
	}
	for i := range 20_000 {
		key := name(rng.IntN(100))
		if rng.IntN(4) == 0 {
			c.settle(&key, nil)
			delete(model, key)
			continue
		}
		c.settle(&key, &i)
		model[key] = i
	}
	for i := range 100 {
		key := name(i)
		if v := c.get(&key); v != nil && *v != model[key] {
			t.Fatalf("key %d holds %d, not %d", i, *v, model[key])
		}
	}
	found := 0
	for key := range maps.Keys(model) {
		if c.get(&key) != nil {
			found++
		}
	}
	if found < len(model)*9/10 || len(c.places) > c.limit {
		t.Errorf("has %d of %d in %d places", found, len(model), len(c.places))
	}
	c.clear()
	if key := name(1); c.get(&key) != nil || c.places != nil {
		t.Error("remembers after clear")
	}
}

// TestRecentBegins demands that nothing is kept for a process that asks little.
func TestRecentBegins(t *testing.T) {
	c := recent[int]{limit: 8, idle: 10}
	var key [32]byte
	for i := range 12 {
		c.put(&key, &i)
		if has := c.get(&key) != nil; has != (i >= 10) {
			t.Errorf("remembers %v after %d times", has, i+1)
		}
	}
}

// countingIndex counts the look-ups.
type countingIndex struct {
	keepOpen
	gets int
}

func (i *countingIndex) Get(key, dst []byte) ([]byte, bool, error) {
	i.gets++
	return i.keepOpen.Get(key, dst)
}

func openCounting(t *testing.T, fsys vfs.FS, o *Options) (*Store, *countingIndex) {
	t.Helper()
	ix := &countingIndex{keepOpen: keepOpen{index.NewMem()}}
	s, err := open(t.Context(), crashRoot, mustDefaults(t, o), seams{fs: fsys, segmentBytes: 4 << 10,
		openIndex: func() (index.Index, error) { return ix, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(t.Context()) })
	for i := range s.shards {
		s.shards[i].recent.idle = 0
	}
	s.pay.recent.idle = 0
	return s, ix
}

func flushNow(t *testing.T, s *Store) {
	t.Helper()
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if err := s.flush(false); err != nil {
		t.Fatal(err)
	}
}

// TestRecentServes demands that a key which was used lately costs no look-up, and that no answer is older than the last
// change, whatever was remembered before.
func TestRecentServes(t *testing.T) {
	s, ix := openCounting(t, vfs.NewMem("/d"), nil)
	want := func(text string, gets int) {
		t.Helper()
		before := ix.gets
		if got, err := getText(s, "k"); got != text || err != nil {
			t.Errorf("got %.20q, %v; want %.20q", got, err, text)
		}
		if ix.gets-before != gets {
			t.Errorf("%d look-ups, not %d", ix.gets-before, gets)
		}
	}
	for _, text := range []string{"old", "new", strings.Repeat("file ", 500)} {
		if err := putText(s, "k", text); err != nil {
			t.Fatal(err)
		}
		want(text, 0)
		flushNow(t, s)
		want(text, 0)
		s.forgetRecent()
		want(text, 1)
		want(text, 0)
	}
	s.forgetRecent()
	key, r := nameKey("k"), record{}
	a, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	l, _, epoch := s.shard(&key).acquire(&key, &r)
	s.shard(&key).release(l)
	if err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	s.shard(&key).remember(&key, &a.rec, epoch) // by a reader that was slow
	flushNow(t, s)
	s.shard(&key).remember(&key, &a.rec, epoch)
	want("", 1)
}

// TestRecentPayload is TestRecentServes for the record of a payload file.
func TestRecentPayload(t *testing.T) {
	s, ix := openCounting(t, vfs.NewMem("/d"), nil)
	if err := putText(s, "k", strings.Repeat("file ", 500)); err != nil {
		t.Fatal(err)
	}
	flushNow(t, s)
	a, err := s.Get(t.Context(), nameKey("k"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	for i, gets := range []int{0, 1, 0} {
		before := ix.gets
		if _, err := a.Path("out"); err != nil || ix.gets-before != gets {
			t.Errorf("path: %d look-ups, not %d, %v", ix.gets-before, gets, err)
		}
		if i == 0 {
			s.forgetRecent()
		}
	}
	var kept payload
	for d := range s.pay.fresh {
		t.Errorf("%v is not flushed", d)
	}
	d := a.rec.digest
	if kept, _, err = s.payload(&d); err != nil {
		t.Fatal(err)
	}
	epoch := s.pay.recent.epoch
	s.disbelieve(&d)
	s.pay.remember(&d, &kept, epoch)
	flushNow(t, s)
	s.pay.remember(&d, &kept, epoch)
	if now, _, err := s.payload(&d); err != nil || now.verified != 0 {
		t.Errorf("an old record came back: %+v, %v", now, err)
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
	s, _ := openCounting(t, faults, &Options{VerifyAfter: -1})
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

// TestParkLogsUses parks a store whose last uses wait to be logged.
func TestParkLogsUses(t *testing.T) {
	now := time.Unix(1e9, 0)
	s, _ := openCounting(t, vfs.NewMem("/d"), &Options{Now: func() time.Time { return now }})
	if err := putText(s, "k", "v"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Hour)
	if _, err := getText(s, "k"); err != nil {
		t.Fatal(err)
	}
	if !s.park() {
		t.Fatal("not parked")
	}
	var r record
	key := nameKey("k")
	if _, err := s.current(&key, &r); err != nil || int64(r.lastUse) != now.Unix() || len(s.touches) > 0 {
		t.Errorf("last use %d, not %d; %d wait; %v", r.lastUse, now.Unix(), len(s.touches), err)
	}
}
