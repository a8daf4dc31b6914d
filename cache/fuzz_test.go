package cache

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// addGolden makes seeds of all golden files whose names begin with prefix.
func addGolden(f *testing.F, prefix string) {
	f.Helper()
	n := 0
	for _, s := range shapes() {
		if strings.HasPrefix(s.name, prefix) {
			f.Add(golden(f, s.name))
			n++
		}
	}
	if n == 0 {
		f.Fatalf("no golden file in %s begins with %s", filepath.Dir(goldenFile("")), prefix)
	}
	f.Add([]byte{})
}

// same holds what every parser owes: what it takes is what would be written.
func same(t *testing.T, b []byte, rewrite func([]byte) ([]byte, error)) {
	t.Helper()
	if again, err := rewrite(b); err == nil && !bytes.Equal(again, b) {
		t.Errorf("parsed\n%x\nwould write\n%x", b, again)
	}
}

// sameSealed tries b as it is, and its beginning with a right checksum, which no fuzzer would find.
func sameSealed(t *testing.T, key, b []byte, rewrite func([]byte) ([]byte, error)) {
	t.Helper()
	same(t, b, rewrite)
	same(t, seal(key, b), rewrite)
	same(t, seal(key, b[:max(0, len(b)-8)]), rewrite)
}

func FuzzRecord(f *testing.F) {
	addGolden(f, "record-")
	key := indexKeyOf(prefixArtifact, 0x40)
	f.Fuzz(func(t *testing.T, b []byte) {
		sameSealed(t, key, b, func(b []byte) ([]byte, error) { return rewriteRecord(key, b) })
		var r record
		if rest, err := parseRecordBody(b, &r); err == nil {
			if again := append(appendRecordBody(nil, &r), rest...); !bytes.Equal(again, b) {
				t.Errorf("parsed\n%x\nwould write\n%x", b, again)
			}
			if r.content < 0 || r.size < 0 || r.nameLen > recordMaxName {
				t.Errorf("taken: %+v", r)
			}
		}
	})
}

func FuzzPayload(f *testing.F) {
	addGolden(f, "payload")
	key := indexKeyOf(prefixPayload, 0x80)
	f.Fuzz(func(t *testing.T, b []byte) {
		sameSealed(t, key, b, func(b []byte) ([]byte, error) { return rewritePayload(key, b) })
	})
}

func FuzzCheckpoint(f *testing.F) {
	addGolden(f, "checkpoint")
	f.Fuzz(func(t *testing.T, b []byte) { sameSealed(t, checkpointKey, b, rewriteCheckpoint) })
}

func FuzzTable(f *testing.F) {
	addGolden(f, "table")
	f.Fuzz(func(t *testing.T, b []byte) {
		same(t, b, rewriteTable)
		items, err := parseTable(b)
		for _, it := range items {
			if it.size < 0 || it.inline() && int64(it.offset)+it.size < 0 {
				t.Errorf("taken: %+v", it)
			}
		}
		if err != nil && items != nil {
			t.Errorf("%d items beside %v", len(items), err)
		}
	})
}

func FuzzFrame(f *testing.F) {
	addGolden(f, "frame-")
	f.Fuzz(func(t *testing.T, b []byte) {
		same(t, b, rewriteFrame)
		var fr frame
		if parseFrame(b, &fr) == nil && fr.kind == framePut && fr.rec.inline() {
			if n := int64(len(fr.contents())); n != fr.rec.content {
				t.Errorf("content of %d bytes, not %d", n, fr.rec.content)
			}
		}
	})
}
