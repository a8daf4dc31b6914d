package frame_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/bench/frame"
)

func TestTargetMet(t *testing.T) {
	tests := []struct {
		name        string
		target      frame.Target
		ours, ratio float64
		text        string
		want        bool
	}{
		{"none", frame.Target{}, 1e9, 1e9, "", true},
		{"at most, on it", frame.AtMost(50), 50, 0, "<=50", true},
		{"at most, above", frame.AtMost(50), 50.1, 0, "<=50", false},
		{"at least, above", frame.AtLeast(1400), 1500, 0, ">=1400", true},
		{"at least, below", frame.AtLeast(1400), 1399, 0, ">=1400", false},
		{"ratio at most, below", frame.RatioAtMost(1.05), 9, 1.04, "<=1.05x", true},
		{"ratio at most, above", frame.RatioAtMost(1.05), 0, 1.06, "<=1.05x", false},
		{"ratio at least, below", frame.RatioAtLeast(0.9), 9, 0.89, ">=0.9x", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.target.Met(tt.ours, tt.ratio); got != tt.want {
				t.Errorf("Met(%v, %v) = %v, want %v", tt.ours, tt.ratio, got, tt.want)
			}
			if got := tt.target.String(); got != tt.text {
				t.Errorf("String() = %q, want %q", got, tt.text)
			}
		})
	}
}

func run(t *testing.T, env *frame.Env, cases ...frame.Case) []frame.Row {
	t.Helper()
	suite := frame.Suite{Name: "s", Cases: func(*frame.Env) []frame.Case { return cases }}
	var emitted []string
	rows, err := frame.Run(t.Context(), suite, env, func(r frame.Row) {
		emitted = append(emitted, r.Spec.Name)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(emitted) != len(rows) {
		t.Errorf("emitted %q for %d rows", emitted, len(rows))
	}
	return rows
}

func TestRunMedianRatioAndVerdict(t *testing.T) {
	rows := run(t, &frame.Env{}, frame.Case{
		Specs: []frame.Spec{{Name: "a", Peer: "p", Target: frame.RatioAtMost(0.5)}},
		Run: func(_ context.Context, r *frame.Recorder) error {
			r.Note("a", "%d of them", 3)
			return r.Record("a", []float64{30, 10, 20}, []float64{10, 50, 40})
		},
	})
	row := rows[0]
	if row.Err != nil || row.Ours.Median != 20 || row.Peer.Median != 40 || row.Ratio != 0.5 {
		t.Errorf("row %+v, want medians 20 and 40, ratio 0.5", row)
	}
	if !row.OK || row.Note != "3 of them" || row.Suite != "s" {
		t.Errorf("row %+v, want ok, with its note and suite", row)
	}
}

func TestRunGivesNoRatioBelowZero(t *testing.T) {
	rows := run(t, &frame.Env{}, frame.Case{
		Specs: []frame.Spec{{Name: "a", Peer: "p", Target: frame.RatioAtMost(0.5)}},
		Run: func(_ context.Context, r *frame.Recorder) error {
			return r.Record("a", []float64{30}, []float64{-10})
		},
	})
	if row := rows[0]; row.OK || row.Err != nil || row.Ratio != 0 || row.Note == "" {
		t.Errorf("row %+v, want a missed target that is explained", row)
	}
}

func TestRunSaysWhyARowHasNoFigures(t *testing.T) {
	broken := errors.New("no such disk")
	specs := []frame.Spec{{Name: "done"}, {Name: "failed"}, {Name: "left"}}
	tests := []struct {
		name string
		end  error
		left string
	}{
		{"case error", broken, "no such disk"},
		{"forgotten", nil, "ended without measuring"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rows := run(t, &frame.Env{}, frame.Case{
				Specs: specs,
				Run: func(_ context.Context, r *frame.Recorder) error {
					return errors.Join(
						r.Record("done", []float64{1}, nil),
						r.Fail("failed", errors.New("needs a peer")),
						tt.end)
				},
			})
			if len(rows) != 3 || rows[0].Err != nil || !rows[0].OK {
				t.Fatalf("rows %+v, want three, the first good", rows)
			}
			for i, want := range []string{"needs a peer", tt.left} {
				row := rows[i+1]
				if row.Err == nil || !strings.Contains(row.Err.Error(), want) || row.OK {
					t.Errorf("%s: ok %v, reason %v, want %q", row.Spec.Name, row.OK, row.Err, want)
				}
			}
		})
	}
}

func TestRecordRefusesMistakesOfASuite(t *testing.T) {
	run(t, &frame.Env{}, frame.Case{
		Specs: []frame.Spec{{Name: "a"}, {Name: "b", Peer: "p"}},
		Run: func(_ context.Context, r *frame.Recorder) error {
			mistakes := map[string]error{
				"undeclared":     r.Record("x", []float64{1}, nil),
				"no samples":     r.Record("a", nil, nil),
				"peer missing":   r.Record("b", []float64{1}, nil),
				"peer unasked":   r.Record("a", []float64{1}, []float64{1}),
				"undeclared why": r.Fail("x", errors.New("y")),
			}
			for name, err := range mistakes {
				if err == nil {
					t.Errorf("%s: no error", name)
				}
			}
			if err := r.Record("a", []float64{1}, nil); err != nil {
				t.Error(err)
			}
			if err := r.Record("a", []float64{1}, nil); err == nil {
				t.Error("twice: no error")
			}
			return nil
		},
	})
}

func TestRunSelectsRows(t *testing.T) {
	ran := 0
	measure := func(_ context.Context, r *frame.Recorder) error {
		ran++
		if r.Wanted("get big") {
			t.Error("Wanted says yes to a row that was not asked for")
		}
		return r.Record("get small", []float64{1}, nil)
	}
	env := &frame.Env{Rows: regexp.MustCompile("small$")}
	rows := run(t, env,
		frame.Case{Specs: []frame.Spec{{Name: "get small"}, {Name: "get big"}}, Run: measure},
		frame.Case{Specs: []frame.Spec{{Name: "put big"}}, Run: measure})
	if len(rows) != 1 || rows[0].Spec.Name != "get small" || ran != 1 {
		t.Errorf("%d rows from %d cases, want the one that matches", len(rows), ran)
	}
}

func TestRunStopsWhenTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	one := frame.Case{
		Specs: []frame.Spec{{Name: "a"}},
		Run: func(ctx context.Context, _ *frame.Recorder) error {
			cancel()
			return ctx.Err()
		},
	}
	suite := frame.Suite{Name: "s", Cases: func(*frame.Env) []frame.Case {
		return []frame.Case{one, one}
	}}
	rows, err := frame.Run(ctx, suite, &frame.Env{}, func(frame.Row) {})
	if !errors.Is(err, context.Canceled) || len(rows) != 1 {
		t.Errorf("%d rows, error %v, want the first row and the context's error", len(rows), err)
	}
}

func TestInterleaveRotates(t *testing.T) {
	var order strings.Builder
	side := func(name string, value float64) frame.Side {
		return func(context.Context) (float64, error) {
			order.WriteString(name)
			return value, nil
		}
	}
	got, err := frame.Interleave(t.Context(), 3, side("a", 1), side("b", 2), side("c", 3))
	if err != nil {
		t.Fatal(err)
	}
	if want := "abcbcacab"; order.String() != want {
		t.Errorf("order %q, want %q", order.String(), want)
	}
	for i, samples := range got {
		want := slices.Repeat([]float64{float64(i + 1)}, 3)
		if !slices.Equal(samples, want) {
			t.Errorf("side %d: %v, want %v", i, samples, want)
		}
	}
}

func TestInterleaveStops(t *testing.T) {
	broken := errors.New("broken")
	calls := 0
	fail := func(context.Context) (float64, error) { calls++; return 0, broken }
	if _, err := frame.Interleave(t.Context(), 3, fail, fail); !errors.Is(err, broken) || calls != 1 {
		t.Errorf("error %v after %d calls, want %v after one", err, calls, broken)
	}
}

func TestRoundsShrinkWhenAQuickRunIsLate(t *testing.T) {
	hourAgo := time.Now().Add(-time.Hour)
	tests := []struct {
		name string
		env  frame.Env
		want int
	}{
		{"full", frame.Env{}, 9},
		{"full, long ago", frame.Env{Began: hourAgo}, 9},
		{"quick", frame.Env{Quick: true, Began: time.Now()}, 5},
		{"quick, late", frame.Env{Quick: true, Began: hourAgo}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.env.Rounds(9, 5); got != tt.want {
				t.Errorf("%d rounds, want %d", got, tt.want)
			}
		})
	}
}
