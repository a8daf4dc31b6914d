package buildabi_test

import (
	"strings"
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

// traps are sessions whose last message a real client would stumble over, with what a Reader
// says of it. Those that Parse refuses are in TestRefusals.
func traps() []trap {
	return []trap{
		{"step update before hello", buildabi.V1, "StepUpdate: tag: comes before",
			[]buildabi.Message{&buildabi.StepUpdate{}}},
		{"status update before hello", buildabi.V1, "StatusUpdate: tag: comes before",
			[]buildabi.Message{&buildabi.StatusUpdate{}}},
		{"source index before hello", buildabi.V1, "SourceIndex: tag: comes before",
			[]buildabi.Message{smallIndex(buildabi.V1)}},
		{"step of none", buildabi.V1, "StepUpdate: step_idx: 2, of 2",
			[]buildabi.Message{hello(2), &buildabi.StepUpdate{Step: 2}}},
		{"step after a shorter hello", buildabi.V1, "StepUpdate: step_idx: 1, of 1",
			[]buildabi.Message{hello(2), hello(1), &buildabi.StepUpdate{Step: 1}}},
		{"generic result of no step", buildabi.V1, "GenericResult: step_idx: 9, of 2",
			[]buildabi.Message{hello(2), &buildabi.GenericResult{Step: 9}}},
		{"compile result of no step", buildabi.V1, "CompileResult: step_idx: 9, of 2",
			[]buildabi.Message{hello(2), &buildabi.CompileResult{Step: 9}}},
		{"test result of no step", buildabi.V3, "RunTestResult: step_idx: 9, of 2",
			[]buildabi.Message{hello(2), &buildabi.RunTestResult{Step: 9}}},
		{"report that was not announced", buildabi.V1, "GenericResult: tag: the last Hello said",
			[]buildabi.Message{&buildabi.Hello{Steps: []string{"a"}, Statuses: []byte{0}},
				&buildabi.GenericResult{}}},
		{"declaration in no file", buildabi.V1, "CompileResult: decl.file: entry 1 is 1, of 1",
			[]buildabi.Message{hello(1), &buildabi.CompileResult{Files: []string{"a"},
				Decls: []buildabi.Decl{{}, {File: 1}}}}},
		{"directory name out of range", buildabi.V3, "SourceIndex: directories: entry 0 is 6, of 6",
			[]buildabi.Message{hello(1), brokenIndex(buildabi.V3, 0)}},
		{"file in no directory", buildabi.V1, "SourceIndex: files.directory_index: entry 0 is 1, of 1",
			[]buildabi.Message{hello(1), brokenIndex(buildabi.V1, 1)}},
		{"file name out of range", buildabi.V3, "SourceIndex: files.basename: entry 0 is 6, of 6",
			[]buildabi.Message{hello(1), brokenIndex(buildabi.V3, 2)}},
		{"location in no file", buildabi.V1, "SourceIndex: source_locations.file: entry 1 is 1, of 1",
			[]buildabi.Message{hello(1), brokenIndex(buildabi.V1, 3)}},
		{"coverage before the index", buildabi.V1, "CoverageUpdate: tag: comes before the source",
			[]buildabi.Message{hello(1), coverage(1, 0)}},
		{"coverage after a second hello", buildabi.V1, "CoverageUpdate: tag: comes before the source",
			[]buildabi.Message{hello(1), smallIndex(buildabi.V1), hello(1), coverage(1, 0)}},
		{"coverage too short", buildabi.V1, "CoverageUpdate: bits: 0 bytes for 3 locations, want 8",
			[]buildabi.Message{hello(1), smallIndex(buildabi.V1), &buildabi.CoverageUpdate{Runs: 1}}},
		{"coverage too long", buildabi.V3, "CoverageUpdate: bits: 16 bytes for 3 locations, want 8",
			[]buildabi.Message{hello(1), smallIndex(buildabi.V3),
				&buildabi.CoverageUpdate{Covered: buildabi.NewBits(65)}}},
		{"coverage of no location", buildabi.V1, "CoverageUpdate: bits: bit 3 is set, of 3",
			[]buildabi.Message{hello(1), smallIndex(buildabi.V1), coverage(1, 3)}},
		{"coverage without runs", buildabi.V1, "CoverageUpdate: n_runs: no runs",
			[]buildabi.Message{hello(1), smallIndex(buildabi.V1), coverage(0, 0)}},
		{"coverage of nothing", buildabi.V1, "CoverageUpdate: bits: no locations",
			[]buildabi.Message{hello(1), &buildabi.SourceIndex{}, &buildabi.CoverageUpdate{Runs: 1}}},
		{"coverage at once", buildabi.V1, "CoverageUpdate: tag: Hello and source index have the same",
			[]buildabi.Message{hello(1), &buildabi.SourceIndex{Start: 5},
				&buildabi.CoverageUpdate{Runs: 1}}},
		{"fewer runs than at the start", buildabi.V3, "CoverageUpdate: n_runs: 1, fewer than the 2",
			[]buildabi.Message{hello(1), &buildabi.SourceIndex{Version: buildabi.V3, StartRuns: 2},
				&buildabi.CoverageUpdate{Runs: 1}}},
		{"entry points before the index", buildabi.V1, "EntryPoints: tag: comes before the source",
			[]buildabi.Message{hello(1), &buildabi.EntryPoints{}}},
		{"entry point at no location", buildabi.V1, "EntryPoints: locs: entry 1 is 3, of 3",
			[]buildabi.Message{hello(1), smallIndex(buildabi.V1), entries(0, 3)}},
		{"entry point at one not known", buildabi.V1, "EntryPoints: locs: entry 0 is location 2, which",
			[]buildabi.Message{hello(1), smallIndex(buildabi.V1), entries(2)}},
	}
}

type trap struct {
	name    string
	version buildabi.Version
	want    string
	session []buildabi.Message
}

// hello announces n steps, and time reports.
func hello(n int) *buildabi.Hello {
	return &buildabi.Hello{TimeReport: true, Timestamp: 5, Steps: make([]string, n),
		Statuses: buildabi.NewStatuses(n)}
}

// smallIndex has one file and three locations, the last of which is not known.
func smallIndex(v buildabi.Version) *buildabi.SourceIndex {
	m := &buildabi.SourceIndex{Version: v, Start: 2e9}
	file := m.AddFile("/p", "a")
	m.Locations = []buildabi.Location{{File: file, Line: 3, Column: 5}, {File: file, Line: 7},
		buildabi.NoLocation()}
	return m
}

// brokenIndex is a small index with a fault in one of its tables; it has six bytes of names.
func brokenIndex(v buildabi.Version, table int) *buildabi.SourceIndex {
	m := smallIndex(v)
	m.Strings = append(m.Strings, 0)
	switch table {
	case 0:
		m.Directories[0] = 6
	case 1:
		m.Files[0].Directory = 1
	case 2:
		m.Files[0].Basename = 6
	case 3:
		m.Locations[1].File = 1
	}
	return m
}

// coverage fits to a small index.
func coverage(runs uint64, bit int) *buildabi.CoverageUpdate {
	m := &buildabi.CoverageUpdate{Runs: runs, UniqueRuns: 1, Covered: buildabi.NewBits(3)}
	m.Covered.Set(bit)
	return m
}

func entries(locations ...uint32) *buildabi.EntryPoints {
	return &buildabi.EntryPoints{Locations: locations}
}

func encode(t testing.TB, m buildabi.Message) []byte {
	t.Helper()
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReaderFindings(t *testing.T) {
	for _, c := range traps() {
		t.Run(c.name, func(t *testing.T) {
			r := buildabi.NewReader(c.version)
			last := len(c.session) - 1
			for i, m := range c.session {
				_, findings, err := r.Next(encode(t, m))
				if err != nil {
					t.Fatal(err)
				}
				if i < last {
					continue
				}
				if len(findings) == 0 || !hasFinding(findings, c.want) {
					t.Errorf("findings %q, want %q", findings, c.want)
				}
			}
		})
	}
}

func hasFinding(findings []buildabi.Finding, want string) bool {
	for _, f := range findings {
		if strings.HasPrefix(f.String(), want) {
			return true
		}
	}
	return false
}

// TestReaderGood follows sessions in which nothing is wrong.
func TestReaderGood(t *testing.T) {
	for _, v := range []buildabi.Version{buildabi.V1, buildabi.V3} {
		r := buildabi.NewReader(v)
		for i, m := range []buildabi.Message{
			hello(2), &buildabi.StepUpdate{Step: 1, Status: buildabi.Running},
			&buildabi.GenericResult{Step: 1}, &buildabi.CompileResult{Files: []string{"a"},
				Decls: []buildabi.Decl{{Name: "f"}}},
			smallIndex(v), coverage(1, 0), entries(1), smallIndex(v), coverage(9, 2),
		} {
			got, findings, err := r.Next(encode(t, m))
			if err != nil || len(findings) > 0 || got == nil {
				t.Errorf("%v, message %d: %v, findings %q, %v", v, i, got, findings, err)
			}
		}
	}
}

// TestReaderRecordings follows what real servers sent.
func TestReaderRecordings(t *testing.T) {
	for _, rec := range readRecordings(t) {
		r := buildabi.NewReader(rec.version)
		for i, line := range rec.records {
			if line.Dir == "c2s" {
				continue
			}
			if _, findings, err := r.Next(line.Bytes); err != nil || len(findings) > 0 {
				t.Errorf("%s, message %d: findings %q, %v", rec.name, i, findings, err)
			}
		}
	}
}

// TestReaderGoesOn shows that one bad message does not end a session.
func TestReaderGoesOn(t *testing.T) {
	r := buildabi.NewReader(buildabi.V1)
	if _, _, err := r.Next(encode(t, hello(1))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Next([]byte{9}); err == nil {
		t.Error("a message with tag 9 is accepted")
	}
	_, findings, err := r.Next(encode(t, &buildabi.StepUpdate{}))
	if err != nil || len(findings) > 0 {
		t.Errorf("the message after it: findings %q, %v", findings, err)
	}
}
