package buildabi_test

import (
	"slices"
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

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

// TestReaderGood follows sessions in which nothing is wrong.
func TestReaderGood(t *testing.T) {
	for _, v := range []buildabi.Version{buildabi.V1, buildabi.V3} {
		r := buildabi.NewReader(v)
		late := hello(2) // of a client that comes whole ms after fuzzing began
		late.Timestamp = smallIndex(v).Start + 3e6
		for i, m := range []buildabi.Message{
			hello(2), &buildabi.StepUpdate{Step: 1, Status: buildabi.Running},
			&buildabi.GenericResult{Step: 1}, &buildabi.CompileResult{Files: []string{"a"},
				Decls: []buildabi.Decl{{Name: "f"}}},
			smallIndex(v), coverage(1, 0), entries(1), smallIndex(v), coverage(9, 2),
			late, smallIndex(v), coverage(9, 2),
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

// TestReaderGoesOn shows that one bad message does not end a session, and that what is said of one
// is not said of the next.
func TestReaderGoesOn(t *testing.T) {
	r := buildabi.NewReader(buildabi.V1)
	next := func(b []byte, bad, refused bool) []buildabi.Finding {
		t.Helper()
		_, findings, err := r.Next(b)
		if (len(findings) == 1) != bad || (err != nil) != refused {
			t.Errorf("after %x: findings %q, %v", b, findings, err)
		}
		return findings
	}
	next(encode(t, hello(1)), false, false)
	next([]byte{9}, false, true)
	first := next(encode(t, &buildabi.StepUpdate{Step: 1}), true, false)
	next(encode(t, &buildabi.StepUpdate{}), false, false)
	next(encode(t, &buildabi.GenericResult{Step: 1}), true, false)
	if first[0].Message != "StepUpdate" {
		t.Errorf("the first finding has changed to %q", first)
	}
}

// TestReaderWithoutHello follows a server that says everything but Hello.
func TestReaderWithoutHello(t *testing.T) {
	for _, file := range goldenFiles() {
		r := buildabi.NewReader(file.version)
		for _, c := range readGolden(t, file) {
			m, err := buildabi.Parse(file.version, c.Bytes)
			if _, first := m.(*buildabi.Hello); err != nil || first {
				continue
			}
			_, findings, err := r.Next(c.Bytes)
			if must(t, err); !hasFinding(findings, "comes before the first Hello") {
				t.Errorf("%s: findings %q", c.Case, findings)
			}
		}
	}
}

func hasFinding(findings []buildabi.Finding, problem string) bool {
	return slices.ContainsFunc(findings, func(f buildabi.Finding) bool { return f.Problem == problem })
}
