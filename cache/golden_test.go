package cache

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew instead of comparing with them")

// golden reads the bytes of a shape: a file of hex digits, where what follows a # is a comment.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(goldenFile(name))
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

func goldenFile(name string) string { return filepath.Join("testdata", "golden", name+".hex") }

func writeGolden(t *testing.T, s shape) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "# %s\n", s.is)
	b := s.write()
	for i := 0; i < len(b); i += 16 {
		for j := i; j < min(i+16, len(b)); j += 4 {
			fmt.Fprintf(&text, "%x ", b[j:min(j+4, i+16, len(b))])
		}
		fmt.Fprintf(&text, "# %d\n", i)
	}
	if err := os.WriteFile(goldenFile(s.name), []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// The bytes of version 1 of every shape. If this fails, roots that exist can no longer be read: make a new version.
func TestGolden(t *testing.T) {
	for _, s := range shapes() {
		t.Run(s.name, func(t *testing.T) {
			if *update {
				writeGolden(t, s)
			}
			want := golden(t, s.name)
			if got := s.write(); !bytes.Equal(got, want) {
				t.Errorf("is\n%swant\n%s", hex.Dump(got), hex.Dump(want))
			}
			again, err := s.rewrite(want)
			if err != nil || !bytes.Equal(again, want) {
				t.Errorf("read and written again: %v\n%swas\n%s", err, hex.Dump(again), hex.Dump(want))
			}
		})
	}
}

// A golden file that no shape claims tests nothing.
func TestGoldenFilesAreUsed(t *testing.T) {
	files, err := filepath.Glob(goldenFile("*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	used := map[string]bool{}
	for _, s := range shapes() {
		if used[goldenFile(s.name)] {
			t.Errorf("two shapes have the name %s", s.name)
		}
		used[goldenFile(s.name)] = true
	}
	for _, f := range files {
		if !used[f] {
			t.Errorf("%s belongs to no shape", f)
		}
	}
}

// No bit of a value in the index is without meaning, and none may be missing or added.
func TestEveryIndexBitCounts(t *testing.T) {
	tried := 0
	for _, s := range shapes() {
		if s.key == nil {
			continue
		}
		tried++
		t.Run(s.name, func(t *testing.T) {
			value := golden(t, s.name)
			for bit := range 8 * len(value) {
				b := bytes.Clone(value)
				b[bit/8] ^= 1 << (bit % 8)
				refuse(t, s, b, fmt.Sprintf("bit %d flipped", bit))
			}
			for n := range value {
				refuse(t, s, value[:n], fmt.Sprintf("cut to %d bytes", n))
			}
			refuse(t, s, append(bytes.Clone(value), 0), "one byte longer")
			for bit := range 8 * len(s.key) {
				other := s
				other.key = bytes.Clone(s.key)
				other.key[bit/8] ^= 1 << (bit % 8)
				if s.parse != nil && s.parse(other.key, value) == nil {
					t.Errorf("taken under a key with bit %d flipped", bit)
				}
			}
		})
	}
	if tried < 7 {
		t.Errorf("only %d shapes of the index", tried)
	}
}

func refuse(t *testing.T, s shape, value []byte, what string) {
	t.Helper()
	if err := s.parse(s.key, value); err == nil {
		t.Errorf("%s: taken", what)
	}
}

// A checksum that is right does not excuse bytes that we would not have written.
func TestSealedNonsense(t *testing.T) {
	poke := func(name string, at int, b ...byte) []byte {
		value := golden(t, name)
		value = value[:len(value)-8]
		copy(value[at:], b)
		return value
	}
	negative := []byte{0, 0, 0, 0, 0, 0, 0, 0x80}
	for _, c := range []struct {
		what, shape string
		value       []byte
	}{
		{"record of a newer version", "record-file", poke("record-file", 0, 2)},
		{"record of version zero", "record-file", poke("record-file", 0, 0)},
		{"unknown flag of a record", "record-file", poke("record-file", 1, 4)},
		{"name longer than the record", "record-file", poke("record-file", 2, 12)},
		{"name longer than any", "record-file", poke("record-file", 2, 13)},
		{"name shorter than the record", "record-file", poke("record-file", 2, 2)},
		{"exit code too high", "record-file", poke("record-file", 3, 1)},
		{"exit code too low", "record-file", poke("record-file", 3, 0xff, 0xff, 0xff, 0xff, 0x7f)},
		{"negative content", "record-file", poke("record-file", 56, negative...)},
		{"negative size", "record-table", poke("record-table", 48, negative...)},
		{"payload of a newer version", "payload", poke("payload", 0, 2)},
		{"unknown flag of a payload", "payload", poke("payload", 1, 2)},
		{"payload with something behind it", "payload", append(poke("payload", 0), 0)},
		{"checkpoint of a newer version", "checkpoint", poke("checkpoint", 0, 2)},
		{"unknown flag of a checkpoint", "checkpoint", poke("checkpoint", 1, 4)},
		{"checkpoint with something behind it", "checkpoint", append(poke("checkpoint", 0), 0)},
		{"empty record", "record-file", nil},
		{"empty payload", "payload", nil},
		{"empty checkpoint", "checkpoint", nil},
	} {
		s := shapeOf(t, c.shape)
		if err := s.parse(s.key, seal(s.key, c.value)); err == nil {
			t.Errorf("%s: taken", c.what)
		}
	}
}

// What a table or frame must not look like.
func TestMalformed(t *testing.T) {
	poke := func(name string, at int, b ...byte) []byte {
		text := golden(t, name)
		copy(text[at:], b)
		return text
	}
	for what, c := range map[string]struct {
		shape string
		text  []byte
	}{
		"table of a newer version":   {"table", poke("table", 0, 2)},
		"count one too high":         {"table", poke("table", 1, 6)},
		"count one too low":          {"table", poke("table", 1, 4)},
		"count beyond all memory":    {"table", poke("table", 1, 255, 255, 255, 255)},
		"unknown kind of item":       {"table", poke("table", 5, 5)},
		"reserved byte of an item":   {"table", poke("table", 6, 1)},
		"name beyond the table":      {"table", poke("table", 7, 255, 255)},
		"target beyond the table":    {"table", poke("table", 9, 255, 255)},
		"negative size":              {"table", poke("table", 22, 0x80)},
		"inline size beyond a frame": {"table", poke("table", 20, 1)},
		"kind zero":                  {"frame-delete", poke("frame-delete", 0, 0)},
		"unknown kind of frame":      {"frame-delete", poke("frame-delete", 0, 5)},
		"frame of a newer version":   {"frame-delete", poke("frame-delete", 1, 2)},
		"reserved bytes of a frame":  {"frame-delete", poke("frame-delete", 2, 0, 1)},
		"delete with more":           {"frame-delete", append(golden(t, "frame-delete"), 0)},
		"touch with more":            {"frame-touch", append(golden(t, "frame-touch"), 0)},
		"removed with more":          {"frame-removed", append(golden(t, "frame-removed"), 0)},
		"facts beyond the frame":     {"frame-put-files", poke("frame-put-files", 36+recordFixed, 255, 255, 255, 255)},
		"area shorter than content":  {"frame-put-inline", cut(golden(t, "frame-put-inline"))},
	} {
		if _, err := shapeOf(t, c.shape).rewrite(c.text); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
	for _, name := range []string{"table", "frame-delete", "frame-touch", "frame-removed", "frame-put-inline"} {
		text, s := golden(t, name), shapeOf(t, name)
		for n := range text {
			if _, err := s.rewrite(text[:n]); err == nil {
				t.Errorf("%s cut to %d bytes: taken", name, n)
			}
		}
	}
}

func cut(b []byte) []byte { return b[:len(b)-1] }
