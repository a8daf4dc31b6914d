package buildabi_test

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

// goldenFile is what one Zig printed, and the version that it speaks.
type goldenFile struct {
	name    string
	version buildabi.Version
}

func goldenFiles() []goldenFile {
	return []goldenFile{{"0.15.1", buildabi.V1}, {"0.16", buildabi.V3}}
}

// hexBytes are written as hexadecimal digits in JSON.
type hexBytes []byte

func (b hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.AppendDecode(nil, text)
	return err
}

// readFile returns a file of testdata, which may be compressed.
func readFile(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// record is one line of a recording.
type record struct {
	Time  float64 `json:"t_ms"`
	Dir   string
	Bytes hexBytes `json:"hex"`
}

// recording is what one client of a real Zig saw.
type recording struct {
	name    string
	version buildabi.Version
	records []record
}

func readRecordings(t testing.TB) (all []recording) {
	t.Helper()
	names, err := filepath.Glob("testdata/recordings/*.jsonl.gz")
	if err != nil || len(names) < 8 {
		t.Fatalf("found the recordings %v, %v", names, err)
	}
	for _, name := range names {
		r := recording{name: strings.TrimSuffix(filepath.Base(name), ".jsonl.gz")}
		if strings.HasSuffix(r.name, "0.16.0") {
			r.version = buildabi.V3
		}
		lines := bufio.NewScanner(strings.NewReader(string(readFile(t, name))))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var rec record
			if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			r.records = append(r.records, rec)
		}
		if err := lines.Err(); err != nil || len(r.records) == 0 {
			t.Fatalf("%s: %d records, %v", name, len(r.records), err)
		}
		all = append(all, r)
	}
	return all
}
