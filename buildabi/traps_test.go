package buildabi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

// trap is a session whose last message a real client would stumble over, with the beginning of what
// a Reader says of it. Messages that Parse refuses are among the refusals.
type trap struct {
	name, want string
	session    []buildabi.Message
}

// traps are those of a version.
func traps(v buildabi.Version) []trap {
	index := func() *buildabi.SourceIndex { return smallIndex(v) }
	all := []trap{
		{"step update before hello", "StepUpdate: tag: comes before",
			[]buildabi.Message{&buildabi.StepUpdate{}}},
		{"status update before hello", "StatusUpdate: tag: comes before",
			[]buildabi.Message{&buildabi.StatusUpdate{}}},
		{"source index before hello", "SourceIndex: tag: comes before", []buildabi.Message{index()}},
		{"step of none", "StepUpdate: step_idx: 2, of 2",
			[]buildabi.Message{hello(2), &buildabi.StepUpdate{Step: 2}}},
		{"step after a shorter hello", "StepUpdate: step_idx: 1, of 1",
			[]buildabi.Message{hello(2), hello(1), &buildabi.StepUpdate{Step: 1}}},
		{"generic result of no step", "GenericResult: step_idx: 9, of 2",
			[]buildabi.Message{hello(2), &buildabi.GenericResult{Step: 9}}},
		{"compile result of no step", "CompileResult: step_idx: 9, of 2",
			[]buildabi.Message{hello(2), &buildabi.CompileResult{Step: 9}}},
		{"report that was not announced", "GenericResult: tag: the last Hello said",
			[]buildabi.Message{&buildabi.Hello{Steps: []string{"a"}, Statuses: []byte{0}},
				&buildabi.GenericResult{}}},
		{"declaration in no file", "CompileResult: decl.file: entry 1 is 1, of 1",
			[]buildabi.Message{hello(1), &buildabi.CompileResult{Files: []string{"a"},
				Decls: []buildabi.Decl{{}, {File: 1}}}}},
		{"directory name out of range", "SourceIndex: directories: entry 0 is 6, of 6",
			[]buildabi.Message{hello(1), brokenIndex(v, 0)}},
		{"file in no directory", "SourceIndex: files.directory_index: entry 0 is 1, of 1",
			[]buildabi.Message{hello(1), brokenIndex(v, 1)}},
		{"file name out of range", "SourceIndex: files.basename: entry 0 is 6, of 6",
			[]buildabi.Message{hello(1), brokenIndex(v, 2)}},
		{"location in no file", "SourceIndex: source_locations.file: entry 1 is 1, of 1",
			[]buildabi.Message{hello(1), brokenIndex(v, 3)}},
		{"coverage before the index", "CoverageUpdate: tag: comes before the source",
			[]buildabi.Message{hello(1), coverage(1, 0)}},
		{"coverage after a second hello", "CoverageUpdate: tag: comes before the source",
			[]buildabi.Message{hello(1), index(), hello(1), coverage(1, 0)}},
		{"coverage too short", "CoverageUpdate: bits: 0 bytes for 3 locations, want 8",
			[]buildabi.Message{hello(1), index(), &buildabi.CoverageUpdate{Runs: 1}}},
		{"coverage too long", "CoverageUpdate: bits: 16 bytes for 3 locations, want 8",
			[]buildabi.Message{hello(1), index(),
				&buildabi.CoverageUpdate{Runs: 1, Covered: buildabi.NewBits(65)}}},
		{"coverage of no location", "CoverageUpdate: bits: bit 3 is set, of 3",
			[]buildabi.Message{hello(1), index(), coverage(1, 3)}},
		{"entry points before the index", "EntryPoints: tag: comes before the source",
			[]buildabi.Message{hello(1), entries()}},
		{"entry points after a second hello", "EntryPoints: tag: comes before the source",
			[]buildabi.Message{hello(1), index(), hello(1), entries(0)}},
		{"entry point at no location", "EntryPoints: locs: entry 1 is 3, of 3",
			[]buildabi.Message{hello(1), index(), entries(0, 3)}},
		{"entry point at one not known", "EntryPoints: locs: entry 0 is location 2, which",
			[]buildabi.Message{hello(1), index(), entries(2)}},
	}
	if v == buildabi.V1 {
		return append(all, divisors()...)
	}
	late := smallIndex(v)
	late.StartRuns = 2
	return append(all,
		trap{"test result of no step", "RunTestResult: step_idx: 9, of 2",
			[]buildabi.Message{hello(2), &buildabi.RunTestResult{Step: 9}}},
		trap{"fewer runs than at the start", "CoverageUpdate: n_runs: 1, fewer than the 2",
			[]buildabi.Message{hello(1), late, coverage(1, 0)}})
}

// divisors make a client of V1 divide by nothing.
func divisors() []trap {
	after := func(ns int64) *buildabi.SourceIndex { // Hello
		m := smallIndex(buildabi.V1)
		m.Start = hello(1).Timestamp + ns
		return m
	}
	return []trap{
		{"coverage without runs", "CoverageUpdate: n_runs: no runs",
			[]buildabi.Message{hello(1), after(5e8 + 1), coverage(0, 0)}},
		{"coverage of nothing", "CoverageUpdate: bits: no locations",
			[]buildabi.Message{hello(1), &buildabi.SourceIndex{}, &buildabi.CoverageUpdate{Runs: 1}}},
		{"coverage at once", "CoverageUpdate: tag: fuzzing began 0 ms after Hello",
			[]buildabi.Message{hello(1), after(0), coverage(1, 0)}},
		{"coverage whole ms after hello", "CoverageUpdate: tag: fuzzing began 1234 ms after Hello",
			[]buildabi.Message{hello(1), after(1234e6), coverage(1, 0)}},
	}
}

func TestReaderFindings(t *testing.T) {
	for _, file := range goldenFiles() {
		for _, c := range traps(file.version) {
			t.Run(file.version.String()+"/"+c.name, func(t *testing.T) {
				r := buildabi.NewReader(file.version)
				for i, m := range c.session {
					_, findings, err := r.Next(encode(t, m))
					must(t, err)
					last := i == len(c.session)-1
					if last && (len(findings) != 1 || !strings.HasPrefix(findings[0].String(), c.want)) {
						t.Errorf("findings %q, want %q", findings, c.want)
					}
					if !last && len(findings) > 0 {
						t.Errorf("message %d: findings %q", i, findings)
					}
				}
			})
		}
	}
}

// trapped is what becomes of a trap or a refusal: what this package says of the last message, and
// what Zig's client says in Debug and in release, where nothing is that it goes on. The test that
// has a real Zig records it.
type trapped struct {
	Case    string     `json:"case"`
	Session []hexBytes `json:"session"`
	Told    string     `json:"told"`
	Debug   string     `json:"debug"`
	Release string     `json:"release"`
}

// trapSessions are the traps and the refusals of a version, without what a client does.
func trapSessions(t *testing.T, v buildabi.Version) (all []trapped) {
	t.Helper()
	add := func(name string, session []buildabi.Message, last []byte) {
		row := trapped{Case: name}
		for _, m := range session {
			row.Session = append(row.Session, encode(t, m))
		}
		row.Session = append(row.Session, last)
		row.Told = told(v, row.Session)
		all = append(all, row)
	}
	for _, c := range traps(v) {
		last := len(c.session) - 1
		add(c.name, c.session[:last], encode(t, c.session[last]))
	}
	for _, c := range refusals() {
		if c.version == v || alike(c.from) {
			add(c.message+"/"+c.name, before(v, c.from), c.change(encode(t, c.from)))
		}
	}
	return all
}

// alike reports whether a message has the same form in both versions.
func alike(m buildabi.Message) bool {
	switch m.(type) {
	case *buildabi.SourceIndex, *buildabi.RunTestResult:
		return false
	}
	return true
}

// before is what a client has to be told before a message.
func before(v buildabi.Version, m buildabi.Message) []buildabi.Message {
	switch m.(type) {
	case *buildabi.Hello:
		return nil
	case *buildabi.CoverageUpdate, *buildabi.EntryPoints:
		return []buildabi.Message{hello(2), smallIndex(v)}
	}
	return []buildabi.Message{hello(2)}
}

// told is who names the fault of a session's last message, and in what.
func told(v buildabi.Version, session []hexBytes) (by string) {
	r := buildabi.NewReader(v)
	for _, b := range session {
		_, findings, err := r.Next(b)
		if refused, ok := errors.AsType[*buildabi.MessageError](err); ok {
			by = fmt.Sprintf("Parse: %s: %s", refused.Message, refused.Field)
		}
		for _, f := range findings {
			by = fmt.Sprintf("Reader: %s: %s", f.Message, f.Field)
		}
	}
	return by
}

func trapsFile(v buildabi.Version) string { return fmt.Sprintf("testdata/traps-%v.json", v) }

// TestTraps holds what this package says of each trap against what Zig's own client did, as
// recorded: what that client stumbles over has a name here, and most of what has one it does not
// survive.
func TestTraps(t *testing.T) {
	for _, file := range goldenFiles() {
		var recorded []trapped
		must(t, json.Unmarshal(readFile(t, trapsFile(file.version)), &recorded))
		sessions, stumbled := trapSessions(t, file.version), 0
		if len(sessions) != len(recorded) {
			t.Fatalf("%v: %d traps recorded, want %d", file.version, len(recorded), len(sessions))
		}
		for i, want := range sessions {
			if recorded[i].Debug != "" || recorded[i].Release != "" {
				stumbled++
			}
			want.Debug, want.Release = recorded[i].Debug, recorded[i].Release
			if fmt.Sprint(recorded[i]) != fmt.Sprint(want) || want.Told == "" {
				t.Errorf("%v: recorded %+v, want %+v", file.version, recorded[i], want)
			}
		}
		if stumbled < len(recorded)/2 {
			t.Errorf("%v: the client stumbled over %d of %d", file.version, stumbled, len(recorded))
		}
	}
}
