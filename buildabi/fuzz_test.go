package buildabi_test

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

// FuzzParse shows that whatever Parse accepts encodes to the same bytes, and that no bytes make
// it or a Reader panic.
func FuzzParse(f *testing.F) {
	for _, file := range goldenFiles() {
		for _, c := range readGolden(f, file) {
			f.Add(uint8(file.version), []byte(c.Bytes))
		}
	}
	for _, c := range refusals() {
		f.Add(uint8(c.version), c.change(encode(f, c.from)))
	}
	f.Fuzz(func(t *testing.T, version uint8, b []byte) {
		v := buildabi.Version(version % 2)
		m, err := buildabi.Parse(v, b)
		if err != nil {
			return
		}
		again, err := m.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%T of\n%x encodes to\n%x, %v", m, b, again, err)
		}
		r := buildabi.NewReader(v)
		for _, m := range []buildabi.Message{hello(2), smallIndex(v), m} {
			if _, _, err := r.Next(encode(t, m)); err != nil {
				t.Error(err)
			}
		}
	})
}

// FuzzAppend shows that every message that can be encoded is decoded to the same message.
func FuzzAppend(f *testing.F) {
	for tag := range uint8(9) {
		f.Add(tag, []byte("two\x00words and some more text, so that there are several numbers in it"))
		f.Add(tag, []byte{})
		f.Add(tag, bytes.Repeat([]byte{0xff, 0, 1}, 60))
	}
	f.Fuzz(func(t *testing.T, tag uint8, b []byte) {
		g := generator{b}
		m := g.message(tag)
		bytes, err := m.AppendBinary(nil)
		if err != nil {
			return
		}
		got, err := buildabi.Parse(buildabi.V3, bytes)
		if err != nil {
			t.Fatalf("%+v encodes to %x: %v", m, bytes, err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Errorf("decodes to\n%+v, want\n%+v", got, m)
		}
	})
}

// generator makes values out of bytes; it gives zeros when they are used up.
type generator struct{ b []byte }

func (g *generator) bytes(n int) []byte {
	n = min(n, len(g.b))
	part := g.b[:n]
	g.b = g.b[n:]
	return append([]byte{}, part...)
}

func (g *generator) uint64() uint64 {
	var word [8]byte
	copy(word[:], g.bytes(8))
	return binary.LittleEndian.Uint64(word[:])
}

func (g *generator) uint32() uint32 { return uint32(g.uint64()) }
func (g *generator) uint8() uint8   { return uint8(append(g.bytes(1), 0)[0]) }
func (g *generator) count() int     { return int(g.uint8() % 16) }
func (g *generator) text() string   { return string(g.bytes(g.count())) }

func list[T any](g *generator, one func() T) []T {
	all := make([]T, g.count())
	for i := range all {
		all[i] = one()
	}
	return all
}

func (g *generator) message(tag uint8) buildabi.Message {
	switch tag % 9 {
	case 0:
		m := &buildabi.Hello{Status: buildabi.BuildStatus(g.uint8()), TimeReport: g.uint8()%2 == 1,
			Timestamp: int64(g.uint64())}
		if m.Steps = list(g, g.text); len(m.Steps) == 0 {
			m.Steps = nil
			return m
		}
		m.Statuses = g.bytes((len(m.Steps) + 3) / 4)
		return m
	case 1:
		return &buildabi.StatusUpdate{New: buildabi.BuildStatus(g.uint8())}
	case 2:
		return &buildabi.StepUpdate{Step: g.uint32(), Status: buildabi.StepStatus(g.uint8())}
	case 3:
		return &buildabi.SourceIndex{Version: buildabi.V3, Start: int64(g.uint64()),
			StartRuns: g.uint64(), Directories: list(g, g.uint32),
			Files: list(g, func() buildabi.File { return buildabi.File{Directory: g.uint32()} }),
			Locations: list(g, func() buildabi.Location {
				return buildabi.Location{File: g.uint32(), Line: g.uint32(), Column: g.uint32()}
			}), Strings: append([]byte(g.text()), 0)}
	case 4:
		return &buildabi.CoverageUpdate{Runs: g.uint64(), UniqueRuns: g.uint64(),
			Covered: g.bytes(8 * g.count())}
	case 5:
		return entries(list(g, g.uint32)...)
	case 6:
		return &buildabi.GenericResult{Step: g.uint32(), Total: g.uint64()}
	case 7:
		return g.compileResult()
	}
	return &buildabi.RunTestResult{Step: g.uint32(), Tests: list(g, func() buildabi.Test {
		return buildabi.Test{Name: g.text(), Time: g.uint64()}
	})}
}

func (g *generator) compileResult() buildabi.Message {
	return &buildabi.CompileResult{Step: g.uint32(), UseLLVM: g.uint8()%2 == 1,
		Stats: buildabi.Stats{ReachableFiles: g.uint32(), CPUSema: g.uint64(), LinkFlush: g.uint64()},
		Total: g.uint64(), PassTimings: g.text(), Files: list(g, g.text),
		Decls: list(g, func() buildabi.Decl {
			return buildabi.Decl{Name: g.text(), File: g.uint32(), SemaCount: g.uint32(),
				Sema: g.uint64(), Codegen: g.uint64(), Link: g.uint64()}
		})}
}
