package index

import (
	"bytes"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// engineFiles returns the files that the engine makes of some records.
func engineFiles(f interface {
	TempDir() string
	Fatal(...any)
}) (manifestBytes, tableBytes []byte) {
	dir := f.TempDir()
	x, err := OpenBadger(Options{Dir: dir})
	if err != nil {
		f.Fatal(err)
	}
	ops := make([]Op, 100)
	for i := range ops {
		ops[i] = Op{Key: []byte{'k', byte(i)}, Value: bytes.Repeat([]byte{byte(i)}, 130)}
	}
	if err := x.Apply(ops, Op{Key: []byte("last"), Value: []byte("1")}); err != nil {
		f.Fatal(err)
	}
	if err := x.Close(); err != nil {
		f.Fatal(err)
	}
	manifestBytes, err1 := os.ReadFile(filepath.Join(dir, manifestName))
	tableBytes, err2 := os.ReadFile(filepath.Join(dir, tableName(1)))
	if err1 != nil || err2 != nil {
		f.Fatal(err1, err2)
	}
	return manifestBytes, tableBytes
}

func TestManifestOfTheEngine(t *testing.T) {
	b, _ := engineFiles(t)
	m, err := parseManifest(b)
	if err != nil || m.whole != len(b) || !maps.Equal(m.tables, map[uint64]int{1: 0}) {
		t.Errorf("got %v, %v of %s", m, err, hex.EncodeToString(b))
	}
	for n := len(manifestHeader); n < len(b); n++ {
		if m, err := parseManifest(b[:n]); err != nil || m.whole > n {
			t.Errorf("cut to %d: %v, %v", n, m, err)
		}
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1
		if m, err := parseManifest(c); err == nil && m.whole == len(b) {
			t.Errorf("a flipped bit at %d was not seen", i)
		}
	}
}

func FuzzManifest(f *testing.F) {
	b, _ := engineFiles(f)
	f.Add(b)
	f.Add([]byte(manifestHeader))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := parseManifest(b); err == nil && m.whole > len(b) {
			t.Errorf("%d of %d bytes", m.whole, len(b))
		}
	})
}

func FuzzTableIndex(f *testing.F) {
	_, b := engineFiles(f)
	f.Add(b[len(b)-400:])
	f.Add(b[len(b)*3/4:])
	f.Fuzz(func(t *testing.T, b []byte) {
		x, ok := parseTableIndex(b)
		if !ok {
			return
		}
		x.span(keyRange{first: []byte("k"), end: []byte("l")})
	})
}

func FuzzFooter(f *testing.F) {
	_, b := engineFiles(f)
	f.Add(b[len(b)-maxFooter:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if rest, _, ok := cutChecksum(b); ok && len(rest) > len(b) {
			t.Error("longer")
		}
	})
}

// TestSpan asks which blocks a range of keys needs, and compares with reading them all.
func TestSpan(t *testing.T) {
	dir := t.TempDir()
	_, b := engineFiles(t)
	if err := os.WriteFile(filepath.Join(dir, tableName(1)), b, 0o666); err != nil {
		t.Fatal(err)
	}
	table, err := openTable(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer table.close()
	x, err := table.index(newScratch())
	if err != nil {
		t.Fatal(err)
	}
	if x.blocks < 3 {
		t.Fatalf("%d blocks", x.blocks)
	}
	second, _ := x.block(1)
	key := second.key[:len(second.key)-versionSize]
	cases := []struct {
		name     string
		r        keyRange
		from, to int
	}{
		{"all", keyRange{}, 0, x.blocks},
		{"before", keyRange{end: []byte("k")}, 0, 0},
		{"up to the second block", keyRange{end: key}, 0, 1},
		{"from the second block", keyRange{first: key}, 0, x.blocks},
		{"after its first key", keyRange{first: append(bytes.Clone(key), 0)}, 1, x.blocks},
		{"after all", keyRange{first: []byte("z")}, x.blocks - 1, x.blocks},
	}
	for _, c := range cases {
		if from, to, ok := x.span(c.r); !ok || from != c.from || to != c.to {
			t.Errorf("%s: blocks %d to %d, %v", c.name, from, to, ok)
		}
	}
}

// TestIdentify notes a table at a close, when it is no longer young.
func TestIdentify(t *testing.T) {
	dir := t.TempDir()
	_, b := engineFiles(t)
	if err := os.WriteFile(filepath.Join(dir, tableName(1)), b, 0o666); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	s := survey{dir: dir}
	ours, err := s.identify(1, later)
	if err != nil || ours.fresh != 0 {
		t.Errorf("of our making: %+v, %v", ours, err)
	}
	s.known = known{1: ours}
	if sig, err := s.identify(1, later); sig != ours || err != nil {
		t.Errorf("checked: %+v, %v", sig, err)
	}
	ours.modified--
	s.known = known{1: ours}
	if sig, err := s.identify(1, later); sig.fresh == 0 || err != nil {
		t.Errorf("changed since: %+v, %v", sig, err)
	}
}

func TestKnownIsReadBack(t *testing.T) {
	k := known{7: {7, 1, 2, 3, 4, 5, 1}, 2: {2, 0, -2, 3, 4, 5, 0}}
	b := k.encode()
	got, err := parseKnown(b)
	if err != nil || !maps.Equal(got, k) {
		t.Errorf("got %v, %v", got, err)
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1
		if _, err := parseKnown(c); err == nil {
			t.Errorf("a flipped bit at %d was not seen", i)
		}
		if _, err := parseKnown(b[:i]); err == nil {
			t.Errorf("cut to %d was not seen", i)
		}
	}
}

func TestLedger(t *testing.T) {
	tables := []tableSize{{1, 100}, {2, 50}}
	var l ledger
	l.open(func() []tableSize { return tables })
	step := func(want int64, now []tableSize) {
		t.Helper()
		tables = now
		if lost := l.done(0); lost != want {
			t.Errorf("%d lost, want %d", lost, want)
		}
	}
	l.reads(0, 150)
	step(0, []tableSize{{3, 140}})
	tables = append(tables, tableSize{4, 10}) // a flush
	l.reads(0, 140)
	step(10, []tableSize{{5, 140}}) // table 4 was not read
	l.reads(0, 100)
	l.failed(0)
	l.reads(1, 140) // another compactor, which has taken its table away but not said so
	l.reads(0, 0)
	step(0, []tableSize{{6, 130}})
	if lost := l.done(1); lost != 0 {
		t.Errorf("%d lost at the end", lost)
	}
}
