package seenpcs_test

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"debug/macho"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/seenpcs"
)

// tiny is testdata/tiny.c, compiled and linked at a fixed address.
func tiny(t *testing.T) []byte {
	t.Helper()
	f, err := os.Open("testdata/tiny.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// asMachO puts the debug information of an ELF executable into a Mach-O file.
func asMachO(t *testing.T, executable []byte) []byte {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(executable))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string][]byte{}
	for _, s := range f.Sections {
		if name, debug := strings.CutPrefix(s.Name, ".debug_"); debug {
			if parts[name], err = s.Data(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return machO(t, parts)
}

// machO makes a file of the parts of its debug information.
func machO(t *testing.T, parts map[string][]byte) []byte {
	t.Helper()
	var sections []macho.Section64
	var content []byte
	for name, b := range parts {
		to := macho.Section64{Size: uint64(len(b)), Offset: uint32(len(content))}
		copy(to.Name[:], "__debug_"+name)
		copy(to.Seg[:], "__DWARF")
		sections, content = append(sections, to), append(content, b...)
	}
	const header, segment, section = 32, 72, 80
	start := uint32(header + segment + section*len(sections))
	load := macho.Segment64{Cmd: macho.LoadCmdSegment64, Len: start - header, Offset: uint64(start),
		Filesz: uint64(len(content)), Nsect: uint32(len(sections))}
	copy(load.Name[:], "__DWARF")
	for i := range sections {
		sections[i].Offset += start
	}
	var b bytes.Buffer
	for _, part := range []any{macho.FileHeader{Magic: macho.Magic64, Cpu: macho.CpuAmd64,
		Type: macho.TypeExec, Ncmd: 1, Cmdsz: load.Len}, uint32(0), load, sections, content} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func resolver(t *testing.T, executable []byte) (*seenpcs.Resolver, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, executable, 0o600); err != nil {
		t.Fatal(err)
	}
	return seenpcs.NewResolver(path)
}

// places returns one line for each location, without the columns.
func places(index *buildabi.SourceIndex) (lines []string) {
	for _, l := range index.Locations {
		directory, basename := index.Path(l.File)
		lines = append(lines, fmt.Sprintf("%s/%s:%d", directory, basename, l.Line))
	}
	return lines
}

func TestResolve(t *testing.T) {
	pcs := []uint64{0x401067, 0x401000, 0x400fff, 0x401028, 0x40100c, 0x40106b, 0x40106c, 0x401021, 1}
	want := []string{"/p/src/tiny.c:11", "/p/inc/step.h:2", "/:0", "/p/src/tiny.c:6",
		"/p/inc/step.h:3", "/p/src/tiny.c:13", "/:0", "/p/src/tiny.c:5", "/:0"}
	elf := tiny(t)
	for name, executable := range map[string][]byte{"ELF": elf, "Mach-O": asMachO(t, elf)} {
		r, err := resolver(t, executable)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for range 2 { // the second time from memory
			index, err := r.Index(pcs)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := places(index); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
			if len(index.Files) != 2 || len(index.Directories) != 2 {
				t.Errorf("%s: %d files in %d folders", name, len(index.Files), len(index.Directories))
			}
			if index.Locations[2] != buildabi.NoLocation() || index.Locations[0].Column == 0 {
				t.Errorf("%s: locations %v", name, index.Locations)
			}
		}
	}
}

// abbreviations are of kinds of unit: 1 has a line table and a folder, 2 only a folder, and 3 is as 1,
// but no unit of its own.
var abbreviations = []byte{1, 0x11, 0, 0x10, 0x17, 0x1b, 8, 0, 0, 2, 0x11, 0, 0x1b, 8, 0, 0,
	3, 0x3c, 0, 0x10, 0x17, 0x1b, 8, 0, 0, 0}

// unit is one of a kind, in a folder.
func unit(kind byte, folder string) []byte {
	b := []byte{4, 0, 0, 0, 0, 0, 8, kind}
	if kind != 2 {
		b = append(b, 0, 0, 0, 0)
	}
	return withLength(append(append(b, folder...), 0))
}

// lineTable is that of rows.c.
func lineTable(program []byte) []byte {
	head := []byte{1, 1, 1, 0xfb, 14, 10, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0}
	head = append(append(head, "rows.c"...), 0, 0, 0, 0, 0)
	b := binary.LittleEndian.AppendUint32([]byte{4, 0}, uint32(len(head)))
	return withLength(append(append(b, head...), program...))
}

func withLength(b []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// TestResolveUnits shows which units are looked at, that the first one with a row has it, and that
// nothing is between two sequences or in one that goes backwards.
func TestResolveUnits(t *testing.T) {
	program := []byte{
		0, 9, 2, 0, 0x10, 0, 0, 0, 0, 0, 0, 1, // at 0x1000: line 1
		2, 0x10, 0, 1, 1, // to 0x1010
		0, 9, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 3, 4, 1, // at 0x2000: line 5
		0, 9, 2, 0, 0x1f, 0, 0, 0, 0, 0, 0, 1, // at 0x1f00: line 5
		2, 0x20, 0, 1, 1, // to 0x1f20
	}
	info := slices.Concat(unit(2, "/n"), unit(3, "/q"), unit(1, "/p"), unit(1, "/r"))
	r, err := resolver(t, machO(t, map[string][]byte{
		"abbrev": abbreviations, "info": info, "line": lineTable(program)}))
	if err != nil {
		t.Fatal(err)
	}
	index, err := r.Index([]uint64{0x1000, 0x1010, 0x1500, 0x1f00, 0x2000})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/p/rows.c:1", "/:0", "/:0", "/p/rows.c:5", "/:0"}
	if got := places(index); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestResolveRowsWithoutLine has a line table such as LLVM writes, with rows of line 0.
func TestResolveRowsWithoutLine(t *testing.T) {
	program := []byte{
		0, 9, 2, 0, 0x10, 0, 0, 0, 0, 0, 0, // at address 0x1000
		3, 0x7f, 1, // line 0
		2, 1, 3, 3, 1, // address +1, line +3: line 3
		2, 2, 3, 0x7d, 1, // address +2: line 0
		2, 1, 1, // address +1: line 0
		2, 1, 3, 4, 1, // address +1: line 4
		2, 1, 0, 1, 1, // address +1: the end
	}
	r, err := resolver(t, machO(t, map[string][]byte{
		"abbrev": abbreviations, "info": unit(1, "/p"), "line": lineTable(program)}))
	if err != nil {
		t.Fatal(err)
	}
	index, err := r.Index([]uint64{0x1000, 0x1001, 0x1002, 0x1003, 0x1004, 0x1005, 0x1006})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/:0", "/p/rows.c:3", "/p/rows.c:3", "/p/rows.c:3", "/p/rows.c:3",
		"/p/rows.c:4", "/:0"}
	if got := places(index); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestResolveNothing(t *testing.T) {
	r, err := resolver(t, tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	index, err := r.Index(nil)
	if err != nil || len(index.Locations) != 0 || len(index.Files) != 0 {
		t.Errorf("%+v, %v", index, err)
	}
}

func TestEntryPoint(t *testing.T) {
	r, err := resolver(t, tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	pcs := []uint64{0x401028, 0x401000, 0x401046, 0x500000}
	index, err := r.Index(pcs)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		start uint64
		want  uint32
		ok    bool
	}{
		{0x400000, 0, false}, {0x401000, 1, true}, {0x401027, 1, true}, {0x401028, 0, true},
		{0x4fffff, 2, true}, {0x500000, 0, false}, // at a location that is not known
	} {
		if got, ok := seenpcs.EntryPoint(index, pcs, c.start); got != c.want || ok != c.ok {
			t.Errorf("a test at %x begins at %d, %v, want %d, %v", c.start, got, ok, c.want, c.ok)
		}
	}
	if got, ok := seenpcs.EntryPoint(&buildabi.SourceIndex{}, pcs, 0x401000); ok {
		t.Errorf("a test begins at %d of no locations", got)
	}
}

func TestResolverRefuses(t *testing.T) {
	for name, b := range map[string][]byte{"PE": []byte("MZ\x90\x00 and so on"), "empty": nil,
		"fat Mach-O": {0xca, 0xfe, 0xba, 0xbe, 0}, "text": []byte("#!/bin/sh\n")} {
		if r, err := resolver(t, b); !errors.Is(err, errors.ErrUnsupported) || r != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	elf := tiny(t)
	for name, b := range map[string][]byte{"cut ELF": elf[:100], "cut Mach-O": asMachO(t, elf)[:60]} {
		if r, err := resolver(t, b); err == nil || errors.Is(err, errors.ErrUnsupported) || r != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := seenpcs.NewResolver(filepath.Join(t.TempDir(), "none"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
