package buildabi

import (
	"fmt"
	"time"
)

// Reader follows the messages of one session, in order, and says where a real client would stumble:
// indices that nothing has, bitsets of the wrong size, messages that come too early. One goroutine
// may use it at a time.
type Reader struct {
	version Version
	hello   *Hello       // the last one; nil before the first
	index   *SourceIndex // the last one since that Hello

	findings []Finding // of the message at hand
}

// Finding is something that [Parse] accepts and a client might not survive.
type Finding struct {
	Message string // name of the message's type
	Field   string // name of the field, as in the format page
	Problem string // what is wrong with it
}

// String names message, field and problem.
func (f Finding) String() string { return f.Message + ": " + f.Field + ": " + f.Problem }

// NewReader returns a Reader at the start of a session with a server of that version.
func NewReader(v Version) *Reader { return &Reader{version: v} }

// Next decodes the session's next message, as [Parse] does, and returns with it what is wrong
// with it at this point. After an error the session can go on with the next message, as that of
// a real client does.
func (r *Reader) Next(b []byte) (Message, []Finding, error) {
	m, err := Parse(r.version, b)
	if err != nil {
		return nil, nil, err
	}
	r.findings = nil
	if _, first := m.(*Hello); !first && r.hello == nil {
		r.find(m, "tag", "comes before the first Hello")
	}
	r.follow(m)
	return m, r.findings, nil
}

func (r *Reader) follow(m Message) {
	switch m := m.(type) {
	case *Hello:
		r.hello, r.index = m, nil
	case *StepUpdate:
		r.step(m, m.Step)
	case *GenericResult:
		r.report(m, m.Step)
	case *CompileResult:
		r.report(m, m.Step)
		r.compile(m)
	case *RunTestResult:
		r.report(m, m.Step)
	case *SourceIndex:
		r.index = m
		r.sourceIndex(m)
	case *CoverageUpdate:
		r.coverage(m)
	case *EntryPoints:
		r.entryPoints(m)
	}
}

func (r *Reader) find(m Message, field, format string, args ...any) {
	r.findings = append(r.findings, Finding{m.message(), field, fmt.Sprintf(format, args...)})
}

// outOfRange reports whether an index does not fit a list of n, and finds fault with it then. entry
// is its place in its own table, of which the caller checks no more after that.
func (r *Reader) outOfRange(m Message, field string, entry int, index uint32, n int) bool {
	if uint64(index) < uint64(n) {
		return false
	}
	r.find(m, field, "entry %d is %d, of %d", entry, index, n)
	return true
}

func (r *Reader) step(m Message, step uint32) {
	if r.hello != nil && uint64(step) >= uint64(len(r.hello.Steps)) {
		r.find(m, "step_idx", "%d, of %d", step, len(r.hello.Steps))
	}
}

func (r *Reader) report(m Message, step uint32) {
	r.step(m, step)
	if r.hello != nil && !r.hello.TimeReport {
		r.find(m, "tag", "the last Hello said that no time reports come")
	}
}

func (r *Reader) compile(m *CompileResult) {
	for i := range m.Decls {
		if r.outOfRange(m, "decl.file", i, m.Decls[i].File, len(m.Files)) {
			return
		}
	}
}

func (r *Reader) sourceIndex(m *SourceIndex) {
	for i, at := range m.Directories {
		if r.outOfRange(m, "directories", i, at, len(m.Strings)) {
			break
		}
	}
	for i, f := range m.Files {
		if r.outOfRange(m, "files.directory_index", i, f.Directory, len(m.Directories)) ||
			r.outOfRange(m, "files.basename", i, f.Basename, len(m.Strings)) {
			break
		}
	}
	for i, l := range m.Locations {
		if l.File != noFile && r.outOfRange(m, "source_locations.file", i, l.File, len(m.Files)) {
			break
		}
	}
}

func (r *Reader) coverage(m *CoverageUpdate) {
	if r.index == nil {
		r.find(m, "tag", "comes before the source index")
		return
	}
	n := len(r.index.Locations)
	if want := bitsSize(n); len(m.Covered) != want {
		r.find(m, "bits", "%d bytes for %d locations, want %d", len(m.Covered), n, want)
	}
	if i := m.Covered.firstFrom(n); i >= 0 {
		r.find(m, "bits", "bit %d is set, of %d", i, n)
	}
	if m.Runs < r.index.StartRuns {
		r.find(m, "n_runs", "%d, fewer than the %d at the start", m.Runs, r.index.StartRuns)
	}
	if r.version == V1 {
		r.divisors(m)
	}
}

// msNanos is one tick of a client's clock, with which it counts on from Hello.
const msNanos = int64(time.Millisecond)

// divisors looks for the zeros by which a client of V1 divides.
func (r *Reader) divisors(m *CoverageUpdate) {
	if m.Runs == 0 {
		r.find(m, "n_runs", "no runs: the client divides by them")
	}
	if len(r.index.Locations) == 0 {
		r.find(m, "bits", "no locations: the client divides by their number")
	}
	if r.hello == nil {
		return
	}
	if after := r.index.Start - r.hello.Timestamp; after >= 0 && after%msNanos == 0 {
		r.find(m, "tag", "fuzzing began %d ms after Hello, to the nanosecond:"+
			" within that ms of its own the client divides by nothing", after/msNanos)
	}
}

func (r *Reader) entryPoints(m *EntryPoints) {
	if r.index == nil {
		r.find(m, "tag", "comes before the source index")
		return
	}
	for i, l := range m.Locations {
		if r.outOfRange(m, "locs", i, l, len(r.index.Locations)) {
			return
		}
		if r.index.Locations[l].File == noFile {
			r.find(m, "locs", "entry %d is location %d, which is not known", i, l)
			return
		}
	}
}
