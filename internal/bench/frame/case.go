package frame

import (
	"context"
	"errors"
	"fmt"
)

// Suite is a named list of cases. Cases is called once a run.
type Suite struct {
	Name  string
	Cases func(*Env) []Case
}

// Case measures one or more rows together, because they share a fixture or are interleaved.
type Case struct {
	Specs []Spec
	// Run measures the rows and records them. An error becomes the reason of every row of
	// the case that has no figures yet.
	Run func(ctx context.Context, r *Recorder) error
}

// Spec declares a row.
type Spec struct {
	Name   string // unique in its suite; says sizes and counts, also when they are smaller than the target's
	Unit   string
	Peer   string // whom our figure is compared with; "" for none
	Target Target
}

// Recorder takes the figures of one case. It is not safe for concurrent use.
type Recorder struct {
	env  *Env
	rows map[string]*entry
}

type entry struct {
	spec       Spec
	ours, peer []float64
	note       string
	err        error
	done       bool
}

// Env is what the program was asked for.
func (r *Recorder) Env() *Env { return r.env }

// Wanted reports whether the row was asked for, so that a case can leave out work.
func (r *Recorder) Wanted(name string) bool { return r.env.wanted(name) }

// Record gives a row its samples, one a round. A row without a peer takes nil for it.
// A name that the case did not declare, a second record and missing samples are errors of the
// suite and make the run fail.
func (r *Recorder) Record(name string, ours, peer []float64) error {
	e, err := r.entry(name)
	if err != nil {
		return err
	}
	if len(ours) == 0 || (e.spec.Peer != "") != (len(peer) > 0) {
		return fmt.Errorf("bench: row %q: %d samples of ours, %d of peer %q",
			name, len(ours), len(peer), e.spec.Peer)
	}
	e.ours, e.peer, e.done = ours, peer, true
	return nil
}

// Fail gives a row the reason why it could not run, and lets the case go on.
func (r *Recorder) Fail(name string, why error) error {
	e, err := r.entry(name)
	if err != nil {
		return err
	}
	e.err, e.done = why, true
	return nil
}

// Note adds a remark to a row: what stands beside the figures in the table.
func (r *Recorder) Note(name, format string, args ...any) {
	if e, ok := r.rows[name]; ok {
		e.note = fmt.Sprintf(format, args...)
	}
}

func (r *Recorder) entry(name string) (*entry, error) {
	e, ok := r.rows[name]
	if !ok {
		return nil, fmt.Errorf("bench: row %q was not declared", name)
	}
	if e.done {
		return nil, fmt.Errorf("bench: row %q recorded twice", name)
	}
	return e, nil
}

var errNoFigures = errors.New("the case ended without measuring it")
