package framelog_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// seedFile is a segment with some frames and one roster, as they stand in a file.
func seedFile() []byte {
	b := framelog.FileHeader(logID, 1, 0, framelog.HeaderSize)
	b = append(b, framelog.RawFrame(logID, 1, uint32(len(b)), 2, nil)...)
	for _, body := range []string{"", "some body", string(bytes.Repeat([]byte("long "), 100)), "the last"} {
		b = append(b, framelog.RawFrame(logID, 1, uint32(len(b)), 1, []byte(body))...)
	}
	return b
}

// FuzzScan scans two files of any bytes: it ends, reports regions in order, and yields just
// frames that are there, at their place, byte for byte.
func FuzzScan(f *testing.F) {
	file := seedFile()
	f.Add(file, []byte{})
	f.Add(file[:len(file)-9], file)
	f.Add(append(bytes.Clone(file), file...), file[:30])
	f.Add(append(bytes.Repeat([]byte{0}, 64), file[64:]...), bytes.Repeat([]byte{0xf7, 0xa3, 0xe1, 0x0c}, 40))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		fsys := vfs.NewMem(dir)
		writeFile(t, fsys, fileOf(1), first)
		writeFile(t, fsys, fileOf(2), second)
		l, err := framelog.Open(fsys, dir, small())
		if errors.Is(err, framelog.ErrVersion) || errors.Is(err, framelog.ErrForeign) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		s := scan(l, framelog.Pos{})
		if s.err != nil {
			t.Fatal(s.err)
		}
		for p, body := range s.frames {
			raw := framelog.RawFrame(logID, p.Segment, p.Offset, 1, []byte(body))
			if !holds(first, p, raw) && !holds(second, p, raw) {
				t.Errorf("frame %v %q is not in a file", p, body)
			}
			if got, err := l.ReadFrame(p, nil); err != nil || string(got) != body {
				t.Errorf("scan yields %q at %v, a read %q, %v", body, p, got, err)
			}
		}
		for _, d := range s.damage {
			if d.From > d.To || d.Reason == 0 {
				t.Errorf("region %v", d)
			}
		}
		goOnAfter(t, l, s.frames)
	})
}

// holds reports whether raw stands at p in a file that is not a continuation. Padding does
// not count.
func holds(file []byte, p framelog.Pos, raw []byte) bool {
	end := int(p.Offset) + len(raw)
	if end > len(file) {
		return false
	}
	pad := 7
	return bytes.HasPrefix(file[p.Offset:end], raw[:max(framelog.FrameHeader, len(raw)-pad)])
}

func goOnAfter(t *testing.T, l *framelog.Log, found model) {
	ps, err := appendAll(l, "one", "more")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := found[ps[0]]; ok {
		t.Errorf("position %v was used twice", ps[0])
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if s := scan(l, framelog.Pos{}); s.err != nil || len(s.frames) != len(found)+2 {
		t.Errorf("then %d frames, want 2 more than %d: %v", len(s.frames), len(found), s.err)
	}
}

func FuzzFileHeader(f *testing.F) {
	f.Add(framelog.FileHeader(logID, 1, 0, framelog.HeaderSize))
	f.Add(framelog.FileHeader(logID, 1<<62, 3, 1<<31))
	f.Fuzz(func(t *testing.T, b []byte) {
		segment, generation, base, ok := framelog.ParseFileHeader(b)
		if !ok {
			return
		}
		id := [16]byte(b[16:32])
		if again := framelog.FileHeader(id, segment, generation, base); !bytes.HasPrefix(b, again) {
			t.Errorf("parsed %x, would write %x", b, again)
		}
	})
}
