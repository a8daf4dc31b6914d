package report

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/stat"
)

// Table writes rows for people: both sides' medians with their spread, the ratio, the target and
// the verdict, and below the table the reasons of rows that could not run.
func Table(w io.Writer, rows []frame.Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "row\tunit\tours (min-max)\tpeer\tpeer's (min-max)\tratio\ttarget\tverdict")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			r.Spec.Name, r.Spec.Unit, figures(r.Ours), dash(r.Spec.Peer), figures(r.Peer),
			ratio(r), dash(r.Spec.Target.String()), verdict(r))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return remarks(w, rows)
}

func remarks(w io.Writer, rows []frame.Row) error {
	said := ""
	for _, r := range rows {
		if r.Err != nil {
			why := r.Err.Error()
			if why == said {
				why = "as above"
			} else {
				said = why
			}
			if _, err := fmt.Fprintf(w, "could not run: %s: %s\n", r.Spec.Name, why); err != nil {
				return err
			}
		}
		if r.Note != "" {
			if _, err := fmt.Fprintf(w, "note: %s: %s\n", r.Spec.Name, r.Note); err != nil {
				return err
			}
		}
	}
	return nil
}

func figures(s stat.Summary) string {
	switch {
	case s.N == 0:
		return "-"
	case s.N == 1:
		return number(s.Median)
	default:
		return fmt.Sprintf("%s (%s-%s)", number(s.Median), number(s.Min), number(s.Max))
	}
}

func ratio(r frame.Row) string {
	if !r.HasRatio() {
		return "-"
	}
	return fmt.Sprintf("%.2fx", r.Ratio)
}

func verdict(r frame.Row) string {
	switch {
	case r.Err != nil:
		return "COULD NOT RUN"
	case r.Spec.Target == (frame.Target{}):
		return "-"
	case r.OK:
		return "ok"
	default:
		return "missed"
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
