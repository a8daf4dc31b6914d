package main

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/seenpcs"
	"github.com/larderbuild/larder/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m, nil)) }

// recordings is where those of real servers are.
const recordings = "../../buildabi/testdata/recordings"

// dump runs the command.
func dump(stdin []byte, args ...string) (code int, stdout, stderr string) {
	var out, warnings bytes.Buffer
	code = run(args, bytes.NewReader(stdin), &out, &warnings)
	return code, out.String(), warnings.String()
}

// recorded makes a recording of messages.
func recorded(messages ...string) []byte {
	var b bytes.Buffer
	for i, m := range messages {
		dir, digits, _ := strings.Cut(m, " ")
		fmt.Fprintf(&b, `{"t_ms":%d.5,"dir":%q,"hex":%q}`+"\n", i, dir, digits)
	}
	return b.Bytes()
}

const (
	emptyHello = "s2c 00000000000000000000000000000000"
	testReport = "s2c 080000000000000000"
)

func TestRealRecordings(t *testing.T) {
	names, err := filepath.Glob(recordings + "/*.gz")
	if err != nil || len(names) < 8 {
		t.Fatalf("found %v, %v", names, err)
	}
	code, stdout, stderr := dump(nil, names...)
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	abi, lines := map[string]string{}, 0
	for text := range strings.Lines(stdout) {
		var l struct{ File, Abi, Message string }
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		abi[filepath.Base(l.File)] = l.Abi
		lines++
	}
	if lines != 304 {
		t.Errorf("%d lines, want 304", lines)
	}
	// What 0.16 sends without test results can be read with the lower version too.
	for name, want := range map[string]string{"time-report-0.15.1.jsonl.gz": "V1",
		"time-report-0.16.0.jsonl.gz": "V3", "plain-0.16.0.jsonl.gz": "V1",
		"fuzz-0.15.1.jsonl.gz": "V1", "fuzz-0.16.0.jsonl.gz": "V3"} {
		if abi[name] != want {
			t.Errorf("%s is read as %q, want %s", name, abi[name], want)
		}
	}
}

func TestVersions(t *testing.T) {
	b := recorded(emptyHello, testReport)
	for _, c := range []struct {
		abi  string
		code int
		says string
	}{
		{"", exitOK, ""},
		{"v3", exitOK, ""},
		{"v1", exitFailure, "line 2: buildabi: Message: tag at byte 0: V1 has no message with tag 8"},
		{"v2", exitUsage, "usage"},
	} {
		code, _, stderr := dump(b, "-abi", c.abi, "-")
		if code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("-abi %q: exit code %d, want %d: %s", c.abi, code, c.code, stderr)
		}
	}
}

func TestOutput(t *testing.T) {
	code, stdout, stderr := dump(recorded(emptyHello, "c2s 00"), "-")
	want := `{"file":"-","line":1,"t_ms":0.5,"dir":"s2c","abi":"V1","message":"hello","fields":` +
		`{"status":0,"step_names":[],"step_statuses":[],"steps_len":0,"time_report":false,` +
		`"timestamp":0}}
{"file":"-","line":2,"t_ms":1.5,"dir":"c2s","abi":"V1","message":"rebuild","fields":{}}
`
	if code != exitOK || stdout != want || stderr != "" {
		t.Errorf("exit code %d, printed\n%s%s, want\n%s", code, stdout, stderr, want)
	}
	named := recorded("s2c 00000000000000000000000001000000" + "03000000" + "3c613e" + "00")
	if _, stdout, _ := dump(named, "-"); !strings.Contains(stdout, `"step_names":["<a>"]`) {
		t.Errorf("a name is printed in %s", stdout)
	}
}

// TestFailures shows what is said of messages that are none, and after which lines.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    []byte
		lines int
		says  string
	}{
		{"bad message", recorded(emptyHello, "s2c 0109"), 1, "line 2: buildabi: StatusUpdate: new"},
		{"bad request", recorded(emptyHello, "c2s 07"), 1, "line 2: buildabi: Rebuild: tag"},
		{"longer request", recorded("c2s 0005"), 0,
			"line 1: rebuild: encodes to other bytes from byte 1 on"},
		{"no version", recorded(emptyHello, testReport, "s2c 09"), 2, "line 3: buildabi: Message"},
		{"empty message", recorded("s2c "), 0, "message is empty"},
		{"no direction", recorded("up 00"), 0, "line 1: neither"},
		{"no digits", recorded("s2c 0g"), 0, "line 1: neither"},
		{"nothing", nil, 0, "nothing in it"},
		{"another file", []byte("hello"), 0, "line 1: neither"},
		{"cut gzip", []byte{0x1f, 0x8b, 8}, 0, "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := dump(c.in, "-")
			if code != exitFailure || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			if got := strings.Count(stdout, "\n"); got != c.lines {
				t.Errorf("%d lines before it, want %d", got, c.lines)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	code, stdout, stderr := dump(recorded(emptyHello, "s2c 020500000001"), "-")
	if code != exitOK || strings.Count(stdout, "\n") != 2 {
		t.Errorf("exit code %d, printed %s", code, stdout)
	}
	if want := "abidump: -: line 2: warning: StepUpdate: step_idx: 5, of 0\n"; stderr != want {
		t.Errorf("warned %q, want %q", stderr, want)
	}
}

func TestCoverageFile(t *testing.T) {
	f := seenpcs.File{Runs: 1000, UniqueRuns: 17, PCs: []uint64{9, 7, 8}, Hits: buildabi.NewBits(3)}
	f.Hits.Set(1)
	b, err := f.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(b)
	w.Close()
	const want = `{"file":"-","message":"seen_pcs_file","fields":` +
		`{"covered":[1],"n_runs":1000,"pcs":[9,7,8],"unique_runs":17}}` + "\n"
	for name, b := range map[string][]byte{"plain": b, "compressed": packed.Bytes()} {
		if code, stdout, stderr := dump(b, "-"); code != exitOK || stdout != want {
			t.Errorf("%s: exit code %d, printed %s%s", name, code, stdout, stderr)
		}
	}
	if code, _, _ := dump(b[:len(b)-1], "-"); code != exitFailure {
		t.Errorf("a cut file: exit code %d", code)
	}
}

// TestGoldenFields compares what is printed with what a real Zig says of the same bytes.
func TestGoldenFields(t *testing.T) {
	for _, c := range []struct{ name, abi string }{{"0.15.1", "v1"}, {"0.16", "v3"}} {
		b, err := readAll("../../buildabi/testdata/golden-"+c.name+".json.gz", nil)
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			Message string
			Fields  map[string]any
			Hex     string
		}
		if err := json.Unmarshal(b, &cases); err != nil {
			t.Fatal(err)
		}
		for _, g := range cases {
			in := recorded("s2c " + g.Hex)
			if g.Message == "seen_pcs_file" {
				if in, err = hex.DecodeString(g.Hex); err != nil {
					t.Fatal(err)
				}
			} else if g.Message == "rebuild" {
				in = recorded("c2s " + g.Hex)
			} else if strings.HasSuffix(g.Message, "_header_only") || g.Message == "mmap_input_header" {
				continue
			}
			checkFields(t, c.abi, in, g.Message, g.Fields)
		}
	}
}

func checkFields(t *testing.T, abi string, in []byte, message string, want map[string]any) {
	t.Helper()
	code, stdout, stderr := dump(in, "-abi", abi, "-")
	var got struct {
		Message string
		Fields  map[string]any
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitOK {
		t.Fatalf("%s: exit code %d, %v: %s", message, code, err, stderr)
	}
	delete(want, "tag")
	delete(want, "source_locations_len") // not in the message
	delete(got.Fields, "bits_len")
	if got.Message != message || fmt.Sprint(got.Fields) != fmt.Sprint(want) {
		t.Errorf("printed %s\n%v, want %s\n%v", got.Message, got.Fields, message, want)
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
	}{
		{nil, exitUsage}, {[]string{"-h"}, exitOK}, {[]string{"-x"}, exitUsage},
		{[]string{"no such file"}, exitFailure},
	} {
		if code, _, stderr := dump(nil, c.args...); code != c.code || stderr == "" {
			t.Errorf("%q: exit code %d, want %d: %s", c.args, code, c.code, stderr)
		}
	}
}

// TestSeveralFiles shows that the first bad file ends the work, after the good ones before it.
func TestSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	for name, b := range map[string][]byte{
		"good": recorded(emptyHello), "bad": recorded(emptyHello, "s2c 0105", emptyHello),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	code, stdout, stderr := dump(nil, good, bad, good)
	if code != exitFailure || strings.Count(stdout, "\n") != 2 {
		t.Errorf("exit code %d after\n%s", code, stdout)
	}
	if want := "abidump: " + bad + ": line 2: "; !strings.HasPrefix(stderr, want) {
		t.Errorf("said %q, want %q", stderr, want)
	}
}

// TestFuzzSession prints the messages of fuzzing, and warns of what is out of order in them.
func TestFuzzSession(t *testing.T) {
	var index buildabi.SourceIndex
	file := index.AddFile("/p", "a.zig")
	index.Locations = []buildabi.Location{{File: file, Line: 3, Column: 5}}
	reached := buildabi.CoverageUpdate{Runs: 9, UniqueRuns: 1, Covered: buildabi.NewBits(1)}
	reached.Covered.Set(0)
	entries := buildabi.EntryPoints{Locations: []uint32{0}}
	text := func(m buildabi.Message) string {
		b, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		return "s2c " + hex.EncodeToString(b)
	}
	hello := text(&buildabi.Hello{Timestamp: 1})
	for _, c := range []struct {
		name     string
		session  []byte
		warnings int
	}{
		{"in order", recorded(hello, text(&index), text(&reached), text(&entries)), 0},
		{"entry points first", recorded(hello, text(&entries), text(&index), text(&reached)), 1},
		{"no index", recorded(hello, text(&entries), text(&reached)), 2},
		{"no hello", recorded(text(&index), text(&entries)), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := dump(c.session, "-")
			lines := strings.Count(string(c.session), "\n")
			if code != exitOK || strings.Count(stdout, "\n") != lines {
				t.Errorf("exit code %d, printed\n%s", code, stdout)
			}
			if got := strings.Count(stderr, "warning"); got != c.warnings {
				t.Errorf("%d warnings, want %d:\n%s", got, c.warnings, stderr)
			}
		})
	}
}
