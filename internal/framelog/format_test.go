package framelog_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// golden reads a file of hex digits; what follows a # is a comment.
func golden(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil || len(b) == 0 {
		t.Fatalf("%s: %d bytes, %v", name, len(b), err)
	}
	return b
}

// The bytes of version 1. If this fails, logs that exist can no longer be read.
func TestGolden(t *testing.T) {
	fsys := vfs.NewMem(dir)
	l := open(t, fsys, dir, small())
	ps := model{}.add(t, l, "", "hello, log")
	if err := errors.Join(l.Rotate(), l.Sync()); err != nil {
		t.Fatal(err)
	}
	model{}.add(t, l, "next")
	compare(t, "first segment", readFile(t, fsys, fileOf(1)), golden(t, "segment1.hex"))
	compare(t, "second segment", readFile(t, fsys, fileOf(2)), golden(t, "segment2.hex"))
	if ps[0].Offset != framelog.HeaderSize+framelog.FrameHeader {
		t.Errorf("first frame is at %v", ps[0])
	}
	compare(t, "header of a continuation", framelog.FileHeader(logID, 1, 2, 0x88), golden(t, "continuation.hex"))
}

func compare(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if string(got) != string(want) {
		t.Errorf("%s is\n%swant\n%s", what, hex.Dump(got), hex.Dump(want))
	}
}

func TestReadsGolden(t *testing.T) {
	fsys := vfs.NewMem(dir)
	writeFile(t, fsys, fileOf(1), golden(t, "segment1.hex"))
	writeFile(t, fsys, fileOf(2), golden(t, "segment2.hex"))
	m := model{{Segment: 1, Offset: 0x58}: "", {Segment: 1, Offset: 0x70}: "hello, log", {Segment: 2, Offset: 0x68}: "next"}
	m.intact(t, open(t, fsys, dir, small()))
}

// No bit of a header is without meaning.
func TestEveryHeaderBitCounts(t *testing.T) {
	h := framelog.FileHeader(logID, 7, 0, framelog.HeaderSize)
	f := framelog.RawFrame(logID, 7, framelog.HeaderSize, 1, []byte("body"))
	for bit := range 8 * (framelog.HeaderSize + framelog.FrameHeader + len("body")) {
		fsys := vfs.NewMem(dir)
		file := append(append([]byte{}, h...), f...)
		file[bit/8] ^= 1 << (bit % 8)
		if _, _, _, ok := framelog.ParseFileHeader(file); ok && bit < 8*framelog.HeaderSize {
			t.Errorf("bit %d of the file header does not count", bit)
		}
		writeFile(t, fsys, fileOf(7), file)
		s := scan(open(t, fsys, dir, small()), framelog.Pos{})
		if want := bit < 8*framelog.HeaderSize; (len(s.frames) == 1) != want || len(s.damage) != 1 {
			t.Errorf("bit %d: frames %v, damage %v", bit, s.frames, s.damage)
		}
	}
}

// A header that we would not have written is not one.
func TestInsaneHeaders(t *testing.T) {
	for name, h := range map[string][]byte{
		"segment zero":           framelog.FileHeader(logID, 0, 0, framelog.HeaderSize),
		"segment too high":       framelog.FileHeader(logID, 1<<63, 0, framelog.HeaderSize),
		"base before the header": framelog.FileHeader(logID, 1, 1, 8),
		"base between frames":    framelog.FileHeader(logID, 1, 1, 100),
		"base without a reason":  framelog.FileHeader(logID, 1, 0, 128),
		"short":                  framelog.FileHeader(logID, 1, 0, framelog.HeaderSize)[:63],
	} {
		if _, _, _, ok := framelog.ParseFileHeader(h); ok {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestNewerVersion(t *testing.T) {
	h := framelog.FileHeader(logID, 1, 0, framelog.HeaderSize)
	binary.BigEndian.PutUint32(h[8:], 2)
	sum := crc32.Checksum(h[:60], crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(h[60:], sum)
	fsys := vfs.NewMem(dir)
	writeFile(t, fsys, fileOf(1), h)
	faults := vfs.NewFaults(fsys, nil)
	if _, err := framelog.Open(faults, dir, small()); !errors.Is(err, framelog.ErrVersion) {
		t.Errorf("Open: %v", err)
	}
	if _, _, err := framelog.Identify(faults, dir); !errors.Is(err, framelog.ErrVersion) {
		t.Errorf("Identify: %v", err)
	}
	if n := faults.Steps(); n != 0 {
		t.Errorf("%d changes were made", n)
	}
}

// Open reads the beginning of each file and changes nothing.
func TestOpenChangesNothing(t *testing.T) {
	fsys := vfs.NewMem(dir)
	m := model{}
	m.fill(t, open(t, fsys, dir, small()), 30)
	resize(t, fsys, 3, -5)
	var read int
	faults := vfs.NewFaults(fsys, func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpRead {
			read += op.Size
		}
		return vfs.Fault{}
	})
	l := open(t, faults, dir, small())
	if per := read / len(l.Segments()); faults.Steps() != 0 || per > 1<<10 {
		t.Errorf("%d changes, %d bytes read for each segment", faults.Steps(), per)
	}
}

func TestIdentify(t *testing.T) {
	fsys := vfs.NewMem(dir)
	if id, ok, err := framelog.Identify(fsys, dir); ok || err != nil || id != [16]byte{} {
		t.Errorf("empty folder: %x, %v, %v", id, ok, err)
	}
	model{}.fill(t, open(t, fsys, dir, small()), 20)
	flip(t, fsys, fileOf(1), 20)
	writeFile(t, fsys, fileOf(99), framelog.FileHeader([16]byte{9}, 99, 0, framelog.HeaderSize))
	if id, ok, err := framelog.Identify(fsys, dir); !ok || err != nil || id != logID {
		t.Errorf("log with damage: %x, %v, %v", id, ok, err)
	}
	if _, _, err := framelog.Identify(fsys, "/nowhere"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func TestForeign(t *testing.T) {
	fsys := vfs.NewMem(dir)
	m := model{}
	m.fill(t, open(t, fsys, dir, small()), 20)
	o := small()
	o.ID[0]++
	if _, err := framelog.Open(fsys, dir, o); !errors.Is(err, framelog.ErrForeign) {
		t.Errorf("Open of another log: %v", err)
	}
}
