package seenpcs_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/seenpcs"
)

// golden is a coverage file as a real Zig lays it out.
type golden struct {
	file  seenpcs.File
	bytes []byte
}

func goldens(t testing.TB) map[string]golden {
	t.Helper()
	f, err := os.Open("../testdata/golden-0.15.1.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Message, Case, Hex string
		Fields             struct {
			Runs    uint64 `json:"n_runs"`
			Unique  uint64 `json:"unique_runs"`
			PCs     []uint64
			Covered []int
		}
	}
	if err := json.NewDecoder(r).Decode(&cases); err != nil {
		t.Fatal(err)
	}
	all := map[string]golden{}
	for _, c := range cases {
		if c.Message != "seen_pcs_file" {
			continue
		}
		g := golden{file: seenpcs.File{Runs: c.Fields.Runs, UniqueRuns: c.Fields.Unique,
			PCs: c.Fields.PCs, Hits: buildabi.NewBits(len(c.Fields.PCs))}}
		for _, i := range c.Fields.Covered {
			g.file.Hits.Set(i)
		}
		if g.bytes, err = hex.DecodeString(c.Hex); err != nil {
			t.Fatal(err)
		}
		all[c.Case] = g
	}
	if len(all) < 4 {
		t.Fatalf("found %d coverage files", len(all))
	}
	return all
}

func TestGolden(t *testing.T) {
	for name, g := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			b, err := g.file.AppendBinary(nil)
			if err != nil || !bytes.Equal(b, g.bytes) {
				t.Errorf("encodes to %x, %v, want %x", b, err, g.bytes)
			}
			whole := bytes.Clone(g.bytes)
			f, err := seenpcs.Parse(whole)
			clear(whole) // of which the result has nothing
			if err != nil || !reflect.DeepEqual(f, &g.file) {
				t.Errorf("decodes to %+v, %v, want %+v", f, err, g.file)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	b := goldens(t)["notes_example_c"].bytes
	change := func(at int, value byte) []byte {
		c := bytes.Clone(b)
		c[at] = value
		return c
	}
	for name, bad := range map[string][]byte{
		"empty":             nil,
		"header cut":        b[:23],
		"cut":               b[:len(b)-1],
		"longer":            append(bytes.Clone(b), 0),
		"other number":      change(16, 4),
		"absurd number":     change(23, 0xff),
		"not yet filled in": make([]byte, len(b)),
	} {
		if f, err := seenpcs.Parse(bad); !errors.Is(err, seenpcs.ErrFormat) || f != nil {
			t.Errorf("%s: parsed %+v, %v", name, f, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	f := seenpcs.File{PCs: make([]uint64, 65), Hits: buildabi.NewBits(64)}
	if b, err := f.AppendBinary([]byte("x")); err == nil || string(b) != "x" {
		t.Errorf("encoded to %x, %v", b, err)
	}
	if err := seenpcs.Write(filepath.Join(t.TempDir(), "f"), &f); err == nil {
		t.Error("written")
	}
	many := seenpcs.File{PCs: make([]uint64, 1<<26+1)}
	if b, err := many.AppendBinary([]byte("x")); err == nil || string(b) != "x" {
		t.Errorf("%d program counters: encoded to %d bytes, %v", len(many.PCs), len(b), err)
	}
	f.Hits = nil
	if b, err := f.AppendBinary(nil); err != nil || len(b) != 24+16+65*8 {
		t.Errorf("without hits: %d bytes, %v", len(b), err)
	}
}

func TestName(t *testing.T) {
	if got := seenpcs.Name(0x0123456789abcdef); got != "efcdab8967452301" {
		t.Errorf("the name is %s", got)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, seenpcs.Name(1))
	for name, g := range goldens(t) {
		if err := seenpcs.Write(path, &g.file); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, g.bytes) {
			t.Errorf("%s: wrote %x, %v", name, b, err)
		}
	}
	if err := seenpcs.Write(filepath.Join(dir, "none", "f"), &seenpcs.File{}); err == nil {
		t.Error("written into a folder that is not there")
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := seenpcs.Write(filepath.Join(dir, "folder"), &seenpcs.File{}); err == nil {
		t.Error("written in the place of a folder")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 2 {
		t.Errorf("left %v, %v", left, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(g.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := seenpcs.Parse(b)
		if err != nil {
			return
		}
		if again, err := file.AppendBinary(nil); err != nil || !bytes.Equal(again, b) {
			t.Errorf("encodes to %x, %v, want %x", again, err, b)
		}
	})
}
