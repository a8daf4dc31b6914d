package frame

import (
	"context"
	"fmt"

	"github.com/larderbuild/larder/internal/bench/stat"
)

// Row is one measured line, or one that could not run: then Err says why.
type Row struct {
	Suite string
	Spec  Spec
	Ours  stat.Summary
	Peer  stat.Summary // zero without a peer
	Ratio float64      // median of ours over median of the peer's; 0 where HasRatio is false
	OK    bool         // the target holds
	Note  string
	Err   error
}

// HasRatio reports whether the peer's median is above zero. A difference of two measurements may be lost
// in noise and come out below.
func (r Row) HasRatio() bool { return r.Err == nil && r.Peer.Median > 0 }

// Run measures every case of s that has a wanted row and returns the wanted rows in declared order,
// handing each to emit as soon as its case is over. A case's error stays in its rows; Run itself fails
// only when the context ended, with the rows so far.
func Run(ctx context.Context, s Suite, env *Env, emit func(Row)) ([]Row, error) {
	var rows []Row
	for _, c := range s.Cases(env) {
		if ctx.Err() != nil {
			return rows, context.Cause(ctx)
		}
		for _, row := range runCase(ctx, s.Name, c, env) {
			emit(row)
			rows = append(rows, row)
		}
	}
	return rows, context.Cause(ctx)
}

func runCase(ctx context.Context, suite string, c Case, env *Env) []Row {
	r := &Recorder{env: env, rows: make(map[string]*entry)}
	var wanted []*entry
	for _, spec := range c.Specs {
		e := &entry{spec: spec}
		r.rows[spec.Name] = e
		if env.wanted(spec.Name) {
			wanted = append(wanted, e)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	env.Log.Printf("%s: %s%s", suite, wanted[0].spec.Name, andMore(len(wanted)-1))
	err := c.Run(ctx, r)
	rows := make([]Row, len(wanted))
	for i, e := range wanted {
		rows[i] = e.row(suite, err)
	}
	return rows
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

func (e *entry) row(suite string, caseErr error) Row {
	row := Row{Suite: suite, Spec: e.spec, Note: e.note, Err: e.err}
	if !e.done {
		row.Err = caseErr
		if row.Err == nil {
			row.Err = errNoFigures
		}
	}
	if row.Err != nil {
		return row
	}
	row.Ours, row.Peer = stat.Of(e.ours), stat.Of(e.peer)
	if row.HasRatio() {
		row.Ratio = row.Ours.Median / row.Peer.Median
	} else if e.spec.Target.ofRatio {
		row.Note = "noise is larger than the peer's figure, so there is no ratio"
		return row
	}
	row.OK = e.spec.Target.Met(row.Ours.Median, row.Ratio)
	return row
}
