package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// formatRoot is a root that holds nothing but what a test puts there.
type formatRoot struct {
	*Store
	seen uint64
}

// reports counts what was reported as damaged since the last call.
func (r *formatRoot) reports() (n uint64) {
	now := r.stats.corrupt.Load()
	n, r.seen = now-r.seen, now
	return n
}

func newFormatRoot(t testing.TB) *formatRoot {
	t.Helper()
	dir := filepath.FromSlash("/d")
	return &formatRoot{Store: newStore(dir, mustDefaults(t, nil), seams{fs: vfs.NewMem(dir)})}
}

func (r *formatRoot) write(t testing.TB, name string, b []byte) {
	t.Helper()
	f, err := r.fs.OpenFile(filepath.Join(r.dir, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func (r *formatRoot) read(t testing.TB, name string) string {
	t.Helper()
	f, err := r.fs.OpenFile(filepath.Join(r.dir, name), os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// signed ends a format line as every one ends.
func signed(text string) string { return fmt.Sprintf("%s %016x\n", text, xxhash.Sum64String(text)) }

var formatID = [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff}

const formatIDText = "000102030405060708090a0b0c0d0eff"

func goldenFormat(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "golden", "FORMAT"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFormatGolden(t *testing.T) {
	if *update {
		err := os.WriteFile(filepath.Join("testdata", "golden", "FORMAT"), []byte(formatLine(formatVersion, formatID)), 0o666)
		if err != nil {
			t.Fatal(err)
		}
	}
	want := goldenFormat(t)
	if got := formatLine(formatVersion, formatID); got != want {
		t.Errorf("would write %q, want %q", got, want)
	}
	r := newFormatRoot(t)
	r.write(t, formatName, []byte(want))
	id, err := r.readFormat()
	if n := r.reports(); id != formatID || err != nil || n != 0 {
		t.Errorf("read %x, %v, %d reports", id, err, n)
	}
}

func TestFormatFresh(t *testing.T) {
	r := newFormatRoot(t)
	id, err := r.readFormat()
	if n := r.reports(); err != nil || id == [16]byte{} || n != 0 {
		t.Fatalf("%x, %v, %d reports", id, err, n)
	}
	if got := r.read(t, formatName); got != formatLine(formatVersion, id) {
		t.Errorf("wrote %q, want %q", got, formatLine(formatVersion, id))
	}
	if again, err := r.readFormat(); again != id || err != nil {
		t.Errorf("read again: %x, %v; was %x", again, err, id)
	}
	if other, err := newFormatRoot(t).readFormat(); other == id || err != nil {
		t.Errorf("two roots have one id: %x, %v", other, err)
	}
}

// startLog gives the root a log, which knows its id.
func (r *formatRoot) startLog(t testing.TB, change func(header []byte)) {
	t.Helper()
	dir := filepath.Join(r.dir, "log")
	if err := r.fs.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	l, err := framelog.Open(r.fs, dir, &framelog.Options{ID: formatID})
	if err != nil {
		t.Fatal(err)
	}
	var b framelog.Batch
	b.Add([]byte("frame"))
	if err := errors.Join(l.Append(&b), l.Close()); err != nil {
		t.Fatal(err)
	}
	entries, err := r.fs.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	name := filepath.Join("log", entries[0].Name())
	segment := []byte(r.read(t, name))
	change(segment)
	r.write(t, name, segment)
}

// TestFormatDamaged holds that no damage to the line is taken for a version or another id: the log has the id too.
func TestFormatDamaged(t *testing.T) {
	r := newFormatRoot(t)
	r.startLog(t, func([]byte) {})
	whole := formatLine(formatVersion, formatID)
	damaged := map[string]string{
		"empty":              "",
		"newline alone":      "\n",
		"zeros":              strings.Repeat("\x00", len(whole)),
		"no newline":         strings.TrimSuffix(whole, "\n"),
		"two lines":          whole + whole,
		"long":               strings.Repeat(whole, 100),
		"version zero":       signed("larder 0 " + formatIDText),
		"negative version":   signed("larder -1 " + formatIDText),
		"signed version":     signed("larder +1 " + formatIDText),
		"no id":              signed("larder 2"),
		"short id":           signed("larder 2 " + formatIDText[:30]),
		"long id":            signed("larder 2 " + formatIDText + "00"),
		"upper case id":      signed("larder 2 " + strings.ToUpper(formatIDText)),
		"something behind":   signed("larder 2 " + formatIDText + " more"),
		"other word":         signed("barrel 2 " + formatIDText),
		"spaces":             signed("larder  2 " + formatIDText),
		"unsigned":           "larder 2 " + formatIDText + "\n",
		"newer and unsigned": "larder 3 " + formatIDText + " 0000000000000000\n",
	}
	for bit := range 8 * len(whole) {
		b := []byte(whole)
		b[bit/8] ^= 1 << (bit % 8)
		damaged[fmt.Sprint("bit ", bit)] = string(b)
	}
	for n := range whole {
		damaged[fmt.Sprint("cut to ", n)] = whole[:n]
	}
	for name, text := range damaged {
		r.write(t, formatName, []byte(text))
		id, err := r.readFormat()
		if n := r.reports(); id != formatID || err != nil || n != 1 {
			t.Errorf("%s: %q: %x, %v, %d reports", name, text, id, err, n)
		}
		if got := r.read(t, formatName); got != whole {
			t.Errorf("%s: then the line is %q", name, got)
		}
	}
}

// A newer version is refused, and nothing is changed for it.
func TestFormatNewer(t *testing.T) {
	for _, text := range []string{"larder 3 " + formatIDText, "larder 3", "larder 3 quite another line", "larder 4096 x"} {
		r := newFormatRoot(t)
		r.write(t, formatName, []byte(signed(text)))
		if id, err := r.readFormat(); !errors.Is(err, ErrVersion) || id != [16]byte{} {
			t.Errorf("%q: %x, %v", text, id, err)
		}
		if got, n := r.read(t, formatName), r.reports(); got != signed(text) || n != 0 {
			t.Errorf("%q was changed to %q, %d reports", text, got, n)
		}
	}
}

// A root whose line is lost, but whose log is of a newer version, is of a newer version.
func TestFormatLostBesideNewerLog(t *testing.T) {
	for name, line := range map[string][]byte{"missing": nil, "damaged": []byte("larder")} {
		r := newFormatRoot(t)
		r.startLog(t, func(header []byte) {
			binary.BigEndian.PutUint32(header[8:], 1<<16)
			binary.BigEndian.PutUint32(header[60:], crc32.Checksum(header[:60], crc32.MakeTable(crc32.Castagnoli)))
		})
		if line != nil {
			r.write(t, formatName, line)
		}
		if id, err := r.readFormat(); !errors.Is(err, ErrVersion) || id != [16]byte{} {
			t.Errorf("%s: %x, %v", name, id, err)
		}
		if line != nil && r.read(t, formatName) != string(line) {
			t.Errorf("%s: the line was changed", name)
		}
	}
}

// TestRootOfVersion1 goes on with a root of version 1, whose payload files are in 256 folders, also where its line is lost.
func TestRootOfVersion1(t *testing.T) {
	for name, change := range map[string]func(line string) error{
		"as it was": func(string) error { return nil },
		"no line":   os.Remove,
		"damaged":   func(line string) error { return os.Truncate(line, 20) },
	} {
		dir := t.TempDir()
		line := filepath.Join(dir, formatName)
		if err := errors.Join(os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "root-v1"))), change(line)); err != nil {
			t.Fatal(err)
		}
		big := strings.Repeat("0123456789", 500)
		for range 2 {
			s, err := Open(t.Context(), dir, nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			small, err1 := getText(s, "inline")
			file, err2 := getText(s, "big")
			if small != "inline" || file != big || err1 != nil || err2 != nil {
				t.Errorf("%s: %q, %v; %.20q, %v", name, small, err1, file, err2)
			}
			if err := putText(s, "new", big+"new"); err != nil {
				t.Fatal(err)
			}
			orphan := plant(t, s, sha256.Sum256([]byte("orphan")), 2*orphanAge)
			_, verr := s.Verify(t.Context(), nil)
			if err := errors.Join(verr, s.Close(t.Context())); err != nil || there(orphan) {
				t.Errorf("%s: %v, the orphan is there: %v", name, err, there(orphan))
			}
		}
		text, err := os.ReadFile(line)
		if version, _, ok := parseFormat(string(text)); version != 1 || !ok || err != nil {
			t.Errorf("%s: the line is %q, %v", name, text, err)
		}
		if n := len(payloadFiles(t, dir)); n != 2 {
			t.Errorf("%s: %d payload files", name, n)
		}
		if there(filepath.Join(dir, "blobs", "6")) {
			t.Errorf("%s: a folder of version 2 was made", name)
		}
	}
}

// TestFormatLostBesideStrayNames loses the line of a root of version 2 that has something in blobs which is no folder of payload files.
func TestFormatLostBesideStrayNames(t *testing.T) {
	dir, big := t.TempDir(), strings.Repeat("0123456789", 500)
	for range 2 {
		s, err := Open(t.Context(), dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if s.Stats().Entries == 0 {
			err = putText(s, "k", big)
		}
		if got, gerr := getText(s, "k"); got != big || err != nil || gerr != nil {
			t.Errorf("%.20q, %v, %v", got, err, gerr)
		}
		err = errors.Join(s.Close(t.Context()), os.Remove(filepath.Join(dir, formatName)), os.MkdirAll(filepath.Join(dir, "blobs", "a~"), 0o777))
		if err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzFormat reads any line, as it is and with a right checksum. A line that is taken is what would be written.
func FuzzFormat(f *testing.F) {
	f.Add(goldenFormat(f), false)
	for _, text := range []string{
		"larder 2 " + formatIDText, "larder 1 " + formatIDText, "larder 3 new", "larder 2", "", " ", "larder 2 \xff", "larder 0x2 00",
	} {
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, sign bool) {
		if sign {
			text = signed(text)
		}
		r := newFormatRoot(t)
		r.write(t, formatName, []byte(text))
		id, err := r.readFormat()
		after, n := r.read(t, formatName), r.reports()
		switch {
		case errors.Is(err, ErrVersion):
			if after != text || n != 0 || !bytes.HasPrefix([]byte(text), []byte("larder ")) {
				t.Errorf("%q is of a newer version; now %q, %d reports", text, after, n)
			}
		case err != nil:
			t.Errorf("%q: %v", text, err)
		case after != formatLine(r.version, id) || (after == text) != (n == 0):
			t.Errorf("%q gives %x, then %q, %d reports", text, id, after, n)
		}
	})
}

// The examples of the format's description are the golden ones.
func TestFormatDocument(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "format.md"))
	if err != nil {
		t.Fatal(err)
	}
	doc := strings.Join(strings.Fields(string(text)), "")
	if line := strings.Join(strings.Fields(goldenFormat(t)), ""); !strings.Contains(doc, line) {
		t.Errorf("docs/format.md does not show the line %s", line)
	}
	if record := fmt.Sprintf("%x", golden(t, "record-file")); !strings.Contains(doc, record) {
		t.Errorf("docs/format.md does not show the record %s", record)
	}
}
