package cache

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
)

// shape is one form that bytes on disk have.
type shape struct {
	name  string
	is    string
	write func() []byte
	// rewrite parses b and appends what it found.
	rewrite func(b []byte) ([]byte, error)
	// key and parse belong to the values of the index.
	key   []byte
	parse func(key, value []byte) error
}

func shapeOf(t testing.TB, name string) shape {
	t.Helper()
	for _, s := range shapes() {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("no shape %s", name)
	return shape{}
}

func shapes() []shape {
	var list []shape
	for _, group := range [][]shape{recordShapes(), payloadShapes(), stateShapes(), tableShapes(), frameShapes()} {
		list = append(list, group...)
	}
	return list
}

// filled is a digest or key whose bytes count up from first.
func filled(first byte) (b [32]byte) {
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func indexKeyOf(prefix byte, first byte) []byte {
	k := filled(first)
	b := indexKey(prefix, &k)
	return b[:]
}

// seal ends a value of the index as every one ends.
func seal(key, value []byte) []byte {
	return binary.LittleEndian.AppendUint64(append([]byte{}, value...), sum(key, value))
}

// sampleRecord has another value in every field.
func sampleRecord(name string) record {
	r := record{exitCode: -2, cost: 0x1112131415161718, created: 0x2122232425262728, lastUse: 0x31323334,
		uses: 0x41424344, frameLen: 0x51525354, blocks: 0x61626364, outputs: 1, mode: 0o755,
		content: 0x0182838485868788, xxh: 0x9192939495969798,
		pos: framelog.Pos{Segment: 0xa1a2a3a4a5a6a7a8, Offset: 0xb1b2b3b4}, digest: filled(0xc0)}
	r.size = r.content
	r.nameLen = uint8(copy(r.name[:], name))
	return r
}

// sampleTable is a record that has a table.
func sampleTable(flags uint8) record {
	r := sampleRecord("")
	r.flags, r.outputs, r.mode, r.xxh, r.size = flagTable|flags, 0x71727374, 0, 0, 0x0292939495969798
	return r
}

func recordShapes() []shape {
	var list []shape
	for _, c := range []struct {
		name, is string
		rec      record
	}{
		{"record-file", "record of a lone output in a payload file", sampleRecord("a.o")},
		{"record-inline", "record of a lone inline output", withFlags(sampleRecord("main.o"), flagInline)},
		{"record-longest", "record with the longest name it can hold", sampleRecord("abcdefgh.ijk")},
		{"record-table", "record whose table is a payload file", sampleTable(0)},
		{"record-table-inline", "record whose table is inline", sampleTable(flagInline)},
	} {
		key := indexKeyOf(prefixArtifact, 0x40)
		list = append(list, shape{name: c.name, is: c.is, key: key,
			write:   func() []byte { return appendRecord(nil, key, &c.rec) },
			rewrite: func(b []byte) ([]byte, error) { return rewriteRecord(key, b) },
			parse:   func(key, b []byte) error { return parseRecord(key, b, new(record)) },
		})
	}
	return list
}

func withFlags(r record, flags uint8) record {
	r.flags = flags
	return r
}

func rewriteRecord(key, b []byte) ([]byte, error) {
	var r record
	if err := parseRecord(key, b, &r); err != nil {
		return nil, err
	}
	return appendRecord(nil, key, &r), nil
}

func sampleFact(first byte) fact {
	return fact{digest: filled(first), size: 0x0112131415161718, xxh: 0x2122232425262728,
		inode: 0x3132333435363738, mtime: 0x4142434445464748}
}

func payloadShapes() []shape {
	var list []shape
	for name, linked := range map[string]bool{"payload": false, "payload-linked": true} {
		key := indexKeyOf(prefixPayload, 0x80)
		p := payload{fact: sampleFact(0x80), refs: 0x51525354, verified: 0x61626364, linked: linked}
		list = append(list, shape{name: name, is: fmt.Sprintf("payload record, hard links handed out: %v", linked), key: key,
			write:   func() []byte { return appendPayload(nil, key, &p) },
			rewrite: func(b []byte) ([]byte, error) { return rewritePayload(key, b) },
			parse:   func(key, b []byte) error { return parsePayload(key, b, new(payload)) },
		})
	}
	return list
}

func rewritePayload(key, b []byte) ([]byte, error) {
	var p payload
	if err := parsePayload(key, b, &p); err != nil {
		return nil, err
	}
	return appendPayload(nil, key, &p), nil
}

func stateShapes() []shape {
	var list []shape
	sample := checkpoint{applied: framelog.Pos{Segment: 0x0102030405060708, Offset: 0x11121314},
		entries: 0x2122232425262728, payloads: 0x3132333435363738, bytes: 0x4142434445464748,
		shared: 0x5152535455565758, distrust: 0x65666768, hashed: 0x61626364,
		synced: framelog.Pos{Segment: 0x7172737475767778, Offset: 0x71727374}}
	for name, c := range map[string]func(*checkpoint){
		"checkpoint":          func(c *checkpoint) { c.rebuilt = true },
		"checkpoint-clean":    func(c *checkpoint) { c.rebuilt, c.clean = true, true },
		"checkpoint-halfway":  func(*checkpoint) {},
		"checkpoint-negative": func(c *checkpoint) { c.rebuilt, c.shared = true, -1 },
	} {
		v := sample
		c(&v)
		list = append(list, shape{name: name, is: name, key: checkpointKey,
			write:   func() []byte { return appendCheckpoint(nil, &v) },
			rewrite: rewriteCheckpoint,
			parse: func(key, b []byte) error {
				if string(key) != string(checkpointKey) {
					return errRecord // it stands under one key only
				}
				return parseCheckpoint(b, new(checkpoint))
			},
		})
	}
	key := segmentKey(0x0102030405060708)
	return append(list, shape{name: "segment", is: "live bytes of a segment", key: key,
		write: func() []byte {
			var o opsBuf
			o.segments(map[uint64]int64{0x0102030405060708: 0x1112131415161718}, nil)
			return append([]byte(nil), o.list()[0].Value...)
		},
		rewrite: func(b []byte) ([]byte, error) {
			v, err := verified(key, b)
			return seal(key, v), err
		},
		parse: func(key, b []byte) error {
			_, err := verified(key, b)
			return err
		},
	})
}

func rewriteCheckpoint(b []byte) ([]byte, error) {
	var c checkpoint
	if err := parseCheckpoint(b, &c); err != nil {
		return nil, err
	}
	return appendCheckpoint(nil, &c), nil
}

// sampleItems holds an item of every kind.
func sampleItems() []item {
	file := item{kind: itemFile, mode: 0o755, size: 0x21222324, offset: 0x31323334, digest: filled(0x40),
		xxh: 0x5152535455565758, name: "bin/tool"}
	payload := file
	payload.size, payload.offset, payload.name = 0x2122232425262728, noOffset, "lib/größer.a"
	return []item{file, payload,
		{kind: itemSymlink, mode: fs.ModeSymlink | 0o777, offset: noOffset, name: "lib/latest", target: "größer.a"},
		{kind: itemStdout, size: 5, offset: 7, digest: filled(0x60), xxh: 0x6162636465666768},
		{kind: itemStderr, size: 1 << 40, offset: noOffset, digest: filled(0x70), xxh: 0x7172737475767778}}
}

func tableShapes() []shape {
	return []shape{
		{name: "table", is: "output table", rewrite: rewriteTable,
			write: func() []byte { return appendTable(nil, sampleItems()) }},
		{name: "table-metadata", is: "output table of metadata alone", rewrite: rewriteTable,
			write: func() []byte {
				return appendTable(nil, []item{{kind: itemMetadata, size: 9, digest: filled(1), xxh: 2}})
			}},
		{name: "table-empty", is: "output table of nothing", rewrite: rewriteTable,
			write: func() []byte { return appendTable(nil, nil) }},
	}
}

func rewriteTable(b []byte) ([]byte, error) {
	items, err := parseTable(b)
	if err != nil {
		return nil, err
	}
	return appendTable(nil, items), nil
}

func frameShapes() []shape {
	key := Key(filled(0x20))
	inline := withFlags(sampleRecord("a.o"), flagInline)
	inline.content, inline.size, inline.pos = 6, 6, framelog.Pos{}
	file, table := sampleRecord("a.o"), sampleTable(flagInline)
	file.pos, table.pos, table.content = framelog.Pos{}, framelog.Pos{}, 5
	put := func(r *record, area string, facts ...fact) func() []byte {
		return func() []byte { return append(appendPut(nil, &key, r, facts), area...) }
	}
	list := []shape{
		{name: "frame-put-inline", is: "put of a lone inline output", write: put(&inline, "inline")},
		{name: "frame-put-file", is: "put of a lone output in a payload file", write: put(&file, "", sampleFact(0xc0))},
		{name: "frame-put-files", is: "put of an inline table, an inline output and two payload files",
			write: put(&table, "inlinetable", sampleFact(0x60), sampleFact(0x90))},
		{name: "frame-delete", is: "delete", write: func() []byte { return appendKeyed(nil, frameDelete, &key) }},
		{name: "frame-touch", is: "touch", write: func() []byte { return appendTouch(nil, &key, 0x31323334, 0x41424344) }},
		{name: "frame-removed", is: "removed segment", write: func() []byte { return appendRemoved(nil, 0x0102030405060708) }},
	}
	for i := range list {
		list[i].rewrite = rewriteFrame
	}
	return list
}

func rewriteFrame(b []byte) ([]byte, error) {
	var f frame
	if err := parseFrame(b, &f); err != nil {
		return nil, err
	}
	switch f.kind {
	case framePut:
		return append(appendPut(nil, &f.key, &f.rec, f.factList()), f.area...), nil
	case frameTouch:
		return appendTouch(nil, &f.key, f.lastUse, f.uses), nil
	case frameRemoved:
		return appendRemoved(nil, f.segment), nil
	}
	return appendKeyed(nil, f.kind, &f.key), nil
}
