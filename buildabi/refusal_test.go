package buildabi_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

// refusal is bytes that are no message, made from one by a change.
type refusal struct {
	name    string
	version buildabi.Version
	from    buildabi.Message
	change  func(b []byte) []byte
	message string
	field   string
	offset  int
}

func cut(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }
func longer(b []byte) []byte        { return append(b, 0) }
func keep(b []byte) []byte          { return b }
func tooMany(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		binary.LittleEndian.PutUint32(b[at:], math.MaxUint32)
		return b
	}
}

func put(at int, value byte) func([]byte) []byte {
	return func(b []byte) []byte { b[at] = value; return b }
}

func refusals() []refusal {
	const v1, v3 = buildabi.V1, buildabi.V3
	steps := &buildabi.Hello{Steps: []string{"ab", "c"}, Statuses: buildabi.NewStatuses(2)}
	compile := &buildabi.CompileResult{PassTimings: "tt", Files: []string{"f"},
		Decls: []buildabi.Decl{{Name: "d"}}}
	file := &buildabi.CompileResult{PassTimings: "tt", Files: []string{"f"}}
	tests := &buildabi.RunTestResult{Tests: []buildabi.Test{{Name: "t"}}}
	status, step := &buildabi.StatusUpdate{}, &buildabi.StepUpdate{}
	return []refusal{
		{"empty", v1, status, cut(0), "Message", "tag", 0},
		{"unknown tag", v3, status, put(0, 9), "Message", "tag", 0},
		{"test result in V1", v1, tests, keep, "Message", "tag", 0},

		{"short", v1, steps, cut(15), "Hello", "fixed part", 15},
		{"build status", v1, steps, put(1, 4), "Hello", "status", 1},
		{"reserved flag", v1, steps, put(2, 2), "Hello", "flags", 2},
		{"reserved high flag", v1, steps, put(3, 128), "Hello", "flags", 2},
		{"huge steps_len", v1, steps, tooMany(12), "Hello", "steps_len", 12},
		{"huge name", v1, steps, tooMany(16), "Hello", "step_name_lens", 16},
		{"huge second name", v1, steps, tooMany(20), "Hello", "step_name_lens", 20},
		{"no statuses", v1, steps, cut(27), "Hello", "step_statuses", 27},
		{"unused status bits", v1, steps, put(27, 0x10), "Hello", "step_statuses", 27},
		{"extra byte", v1, steps, longer, "Hello", "end", 28},

		{"short", v1, status, cut(1), "StatusUpdate", "fixed part", 1},
		{"build status", v1, status, put(1, 4), "StatusUpdate", "new", 1},
		{"extra byte", v1, status, longer, "StatusUpdate", "end", 2},

		{"short", v1, step, cut(5), "StepUpdate", "fixed part", 5},
		{"reserved bits", v1, step, put(5, 4), "StepUpdate", "bits", 5},
		{"extra byte", v1, step, longer, "StepUpdate", "end", 6},

		{"short", v1, smallIndex(v1), cut(27), "SourceIndex", "fixed part", 27},
		{"short in V3", v3, smallIndex(v3), cut(35), "SourceIndex", "fixed part", 35},
		{"padding", v1, smallIndex(v1), put(3, 1), "SourceIndex", "padding", 1},
		{"huge directories", v1, smallIndex(v1), tooMany(4), "SourceIndex", "directories_len", 4},
		{"huge files", v1, smallIndex(v1), tooMany(8), "SourceIndex", "files_len", 8},
		{"huge locations", v1, smallIndex(v1), tooMany(12), "SourceIndex", "source_locations_len", 12},
		{"huge names", v3, smallIndex(v3), tooMany(16), "SourceIndex", "string_bytes_len", 16},
		{"table of V1 in V3", v3, smallIndex(v1), keep, "SourceIndex", "source_locations_len", 12},
		{"table of V3 in V1", v1, smallIndex(v3), keep, "SourceIndex", "end", 81},
		{"last name without end", v1, smallIndex(v1), put(80, 'x'), "SourceIndex", "string_bytes", 80},
		{"extra byte", v1, smallIndex(v1), longer, "SourceIndex", "end", 81},

		{"short", v1, coverage(1, 1), cut(23), "CoverageUpdate", "fixed part", 23},
		{"padding", v1, coverage(1, 1), put(7, 1), "CoverageUpdate", "padding", 1},
		{"half a word", v1, coverage(1, 1), cut(28), "CoverageUpdate", "bits", 24},

		{"short", v1, entries(1), cut(3), "EntryPoints", "fixed part", 3},
		{"one missing", v1, entries(1), cut(4), "EntryPoints", "locs_len", 1},
		{"one more", v1, entries(1), put(1, 0), "EntryPoints", "end", 4},

		{"short", v1, &buildabi.GenericResult{}, cut(12), "GenericResult", "fixed part", 12},
		{"extra byte", v1, &buildabi.GenericResult{}, longer, "GenericResult", "end", 13},

		{"short", v1, compile, cut(113), "CompileResult", "fixed part", 113},
		{"reserved flag", v1, compile, put(5, 2), "CompileResult", "flags", 5},
		{"huge text", v1, compile, tooMany(102), "CompileResult", "llvm_pass_timings_len", 102},
		{"huge files", v1, compile, tooMany(106), "CompileResult", "files_len", 106},
		{"huge declarations", v1, compile, tooMany(110), "CompileResult", "decls_len", 110},
		{"no end of a file name", v1, file, put(117, 'x'), "CompileResult", "file_name", 116},
		{"no end of a declaration's name", v1, compile, func(b []byte) []byte {
			return append(b[:118], bytes.Repeat([]byte("x"), len(b)-118)...)
		}, "CompileResult", "decl_name", 118},
		{"declaration cut", v1, compile, func(b []byte) []byte { // its name takes a byte of its body
			b[119] = 'x'
			return b
		}, "CompileResult", "decl", 121},
		{"extra byte", v1, compile, longer, "CompileResult", "end", 152},

		{"short", v3, tests, cut(8), "RunTestResult", "fixed part", 8},
		{"huge number", v3, tests, tooMany(5), "RunTestResult", "tests_len", 5},
		{"no names", v3, tests, cut(17), "RunTestResult", "tests_len", 5},
		{"no end of a name", v3, tests, put(18, 'x'), "RunTestResult", "test_name", 17},
		{"extra byte", v3, tests, longer, "RunTestResult", "end", 19},
	}
}

// TestRefusals shows that Parse names message, field and offset.
func TestRefusals(t *testing.T) {
	for _, c := range refusals() {
		t.Run(c.message+"/"+c.name, func(t *testing.T) {
			m, err := buildabi.Parse(c.version, c.change(encode(t, c.from)))
			checkRefusal(t, err, c.message, c.field, c.offset)
			if m != nil {
				t.Errorf("a message beside the error: %+v", m)
			}
		})
	}
}

func checkRefusal(t *testing.T, err error, message, field string, offset int) {
	t.Helper()
	refused, ok := errors.AsType[*buildabi.MessageError](err)
	if !ok {
		t.Fatalf("error %v, want a *MessageError", err)
	}
	if refused.Message != message || refused.Field != field || refused.Offset != offset {
		t.Errorf("refused for %v; want %s, %s at byte %d", err, message, field, offset)
	}
	if !strings.Contains(err.Error(), message) || !strings.Contains(err.Error(), field) {
		t.Errorf("the text %q does not name %s and %s", err, message, field)
	}
}

// TestEncodeRefusals shows what cannot be said in the format.
func TestEncodeRefusals(t *testing.T) {
	for _, c := range []struct {
		name, message, field string
		offset               int
		m                    buildabi.Message
	}{
		{"build status", "Hello", "status", 1, &buildabi.Hello{Status: 4}},
		{"no statuses", "Hello", "step_statuses", 21, &buildabi.Hello{Steps: []string{"a"}}},
		{"too many statuses", "Hello", "step_statuses", 21,
			&buildabi.Hello{Steps: []string{"a"}, Statuses: []byte{0, 0}}},
		{"statuses of no step", "Hello", "step_statuses", 21,
			&buildabi.Hello{Steps: []string{"a"}, Statuses: []byte{4}}},
		{"build status", "StatusUpdate", "new", 1, &buildabi.StatusUpdate{New: 4}},
		{"step status", "StepUpdate", "bits", 5, &buildabi.StepUpdate{Status: 4}},
		{"start runs in V1", "SourceIndex", "start_n_runs", 28, &buildabi.SourceIndex{StartRuns: 1}},
		{"name without end", "SourceIndex", "string_bytes", 29,
			&buildabi.SourceIndex{Strings: []byte("ab")}},
		{"half a word", "CoverageUpdate", "bits", 24, &buildabi.CoverageUpdate{Covered: []byte{1}}},
		{"too many", "EntryPoints", "locs_len", 1,
			&buildabi.EntryPoints{Locations: make([]uint32, 1<<24)}},
		{"NUL in a file", "CompileResult", "file_name", 119,
			&buildabi.CompileResult{PassTimings: "tt", Files: []string{"a", "b\x00"}}},
		{"NUL in a declaration", "CompileResult", "decl_name", 149,
			&buildabi.CompileResult{Files: []string{""},
				Decls: []buildabi.Decl{{Name: "a"}, {Name: "\x00"}}}},
		{"NUL in a test", "RunTestResult", "test_name", 18,
			&buildabi.RunTestResult{Tests: []buildabi.Test{{Name: "t\x00"}}}},
	} {
		t.Run(c.message+"/"+c.name, func(t *testing.T) {
			b, err := c.m.AppendBinary([]byte("before"))
			checkRefusal(t, err, c.message, c.field, c.offset)
			if string(b) != "before" {
				t.Errorf("left %q", b)
			}
		})
	}
}

func TestUnknownVersion(t *testing.T) {
	if m, err := buildabi.Parse(2, []byte{1, 0}); err == nil || m != nil {
		t.Errorf("parsed %v, %v with version 2", m, err)
	}
	if _, err := (&buildabi.SourceIndex{Version: 2}).AppendBinary(nil); err == nil {
		t.Error("encoded a source index of version 2")
	}
}

func TestParseClient(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		ok   bool
	}{
		{"rebuild", []byte{0}, true},
		{"more bytes", []byte{0, 1, 2}, true},
		{"empty", nil, false},
		{"unknown tag", []byte{1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := buildabi.ParseClient(c.b); (err == nil) != c.ok {
				t.Errorf("ParseClient(%x) fails with %v", c.b, err)
			}
		})
	}
}
