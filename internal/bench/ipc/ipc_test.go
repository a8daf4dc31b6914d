package ipc_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/ipc"
)

func TestMain(m *testing.M) {
	if code, isChild := child.Main(os.Args, ipc.Jobs()); isChild {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// specs are the rows of a run by name.
func specs(t *testing.T, quick bool) map[string]frame.Spec {
	t.Helper()
	found := make(map[string]frame.Spec)
	for _, c := range ipc.Suite().Cases(&frame.Env{Quick: quick}) {
		for _, spec := range c.Specs {
			if _, ok := found[spec.Name]; ok {
				t.Errorf("quick %v: two rows are named %q", quick, spec.Name)
			}
			if spec.Unit == "" {
				t.Errorf("row %q has no unit", spec.Name)
			}
			found[spec.Name] = spec
		}
	}
	return found
}

// The rows that the design lists, each with its bound.
func TestListedRows(t *testing.T) {
	const crowd = " of 2048 callers, 4 KiB, "
	tests := []struct {
		listed string
		quick  bool
		rows   map[string]string
	}{
		{"1", true, map[string]string{"echo 256 B, ipc.Conn against socket": "<=1.1x"}},
		{"2", true, map[string]string{
			"echo 256 B, ipc.Conn against net/rpc": "<=0.76x",
			"echo 256 B, ipc.Conn against drpc":    "<=0.63x",
			"echo 256 B, ipc.Conn against ttrpc":   "<=0.6x",
			"echo 256 B, ipc.Conn against grpc-go": "<=0.4x",
		}},
		{"4", true, map[string]string{"echo 256 B, ipc.Client against socket": "<=1.15x"}},
		{"5", true, map[string]string{
			"echo 64 KiB, ipc.Conn against socket": "<=0.85x",
			"echo 64 KiB, ipc.Conn against drpc":   "<=0.45x",
		}},
		{"6", true, map[string]string{
			"echo 1 MiB, ipc.Conn against socket":   "<=0.8x",
			"echo 1 MiB, ipc.Conn against net/rpc":  "<=0.4x",
			"echo 1 MiB, ipc.Conn against HTTP/1.1": "<=0.68x",
		}},
		{"7", true, map[string]string{
			"calls a second, echo 256 B, 64 callers on one connection, ipc.Client against net/rpc": ">=6x",
			"calls a second, echo 256 B, 64 callers on one connection, ipc.Client against ttrpc":   ">=8x",
			"calls a second, echo 256 B, 64 callers on one connection, ipc.Client against grpc-go": ">=15x",
		}},
		{"8", true, map[string]string{
			"echo 256 B, 64 callers on one connection, ipc.Client against socket, pipelined": "<=3.3x",
		}},
		{"9", true, map[string]string{
			"client allocations, echo 256 B, ipc.Conn against yamux":    "<=0",
			"server allocations, echo 256 B, ipc.Conn against yamux":    "<=0",
			"client allocations, echo 64 KiB, ipc.Client against yamux": "<=0",
			"server allocations, echo 64 KiB, ipc.Client against yamux": "<=0",
		}},
		{"10", true, map[string]string{
			"connect, echo 256 B, close, ipc.Conn against socket":  "<=1.3x",
			"connect, echo 256 B, close, ipc.Conn against ttrpc":   "<=0.78x",
			"connect, echo 256 B, close, ipc.Conn against grpc-go": "<=0.25x",
		}},
		{"11", false, map[string]string{
			"process of a client that makes one call, above an empty program": "<=0.3",
		}},
		{"12", true, map[string]string{
			"1 MiB artifact, descriptor against a small call":              "<=1.4x",
			"1 MiB artifact, descriptor, read against bytes in the answer": "<=0.4x",
		}},
		{"13", false, map[string]string{
			"echo 256 B on all CPUs, ipc.Conn, fast operation against socket": "<=1.1x",
		}},
		{"14", false, map[string]string{
			"most servers started, 64 cold client processes, 50 trials":   "<=1",
			"most servers spoken to, 64 cold client processes, 50 trials": "<=1",
		}},
		{"15", false, map[string]string{
			"p99" + crowd + "default buffers, 1m0s":              "<=4x",
			"p99" + crowd + "smallest buffers, 1m0s":             "<=4x",
			"longest silence" + crowd + "default buffers, 1m0s":  "<=1000",
			"longest silence" + crowd + "smallest buffers, 1m0s": "<=1000",
		}},
		{"16", false, map[string]string{
			"deadline overshoot in phase connect, p99 of 200 calls": "<=5",
			"deadline overshoot in phase queue, p99 of 200 calls":   "<=5",
			"deadline overshoot in phase write, p99 of 200 calls":   "<=5",
			"deadline overshoot in phase wait, p99 of 200 calls":    "<=5",
			"deadline overshoot in phase read, p99 of 200 calls":    "<=5",
		}},
		{"16 quick", true, map[string]string{
			"deadline overshoot in phase write, p99 of 40 calls": "<=5",
		}},
	}
	runs := map[bool]map[string]frame.Spec{false: specs(t, false), true: specs(t, true)}
	for _, tt := range tests {
		t.Run(tt.listed, func(t *testing.T) {
			for name, bound := range tt.rows {
				spec, ok := runs[tt.quick][name]
				if !ok || spec.Target.String() != bound {
					t.Errorf("row %q: there %v, bound %q, want %q", name, ok, spec.Target, bound)
				}
			}
		})
	}
}

// measure runs the rows that match and returns those that ran. What says how fast the machine is,
// is no error.
func measure(t *testing.T, rows string, cases func(*frame.Env) []frame.Case) map[string]frame.Row {
	t.Helper()
	env := &frame.Env{
		Quick: true, Dir: t.TempDir(), Rows: regexp.MustCompile(rows),
		Began: time.Now().Add(-time.Hour), // late: one round
	}
	suite := frame.Suite{Name: "ipc", Cases: cases}
	found := make(map[string]frame.Row)
	_, err := frame.Run(t.Context(), suite, env, func(r frame.Row) {
		if r.Err != nil {
			t.Errorf("%s: %v", r.Spec.Name, r.Err)
		}
		found[r.Spec.Name] = r
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("no row")
	}
	return found
}

func TestEveryComparisonRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("starts some forty processes")
	}
	rows := measure(t, `^(echo|calls a second|client allo|connect|1 MiB)`, ipc.Suite().Cases)
	for name, r := range rows {
		if r.Err != nil || strings.Contains(name, "allocations") {
			continue
		}
		if r.Ours.Median <= 0 || r.Peer.Median <= 0 {
			t.Errorf("%s: %v against %v", name, r.Ours.Median, r.Peer.Median)
		}
	}
}

func TestSmallCases(t *testing.T) {
	tests := []struct {
		name string
		of   func(*frame.Env) frame.Case
		rows int
		slow bool // builds programs
	}{
		{"deadlines", ipc.SmallDeadlines, 5, false},
		{"crowd", ipc.SmallCrowd, 4, false},
		{"one shot", ipc.SmallOneShot, 2, true},
		{"herd", ipc.SmallHerd, 3, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.slow && testing.Short() {
				t.Skip("builds programs")
			}
			rows := measure(t, "", func(env *frame.Env) []frame.Case { return []frame.Case{tt.of(env)} })
			if len(rows) != tt.rows {
				t.Errorf("%d rows, want %d", len(rows), tt.rows)
			}
		})
	}
}

// A peer that cannot run loses its rows and nothing else.
func TestWhatCannotRunSaysWhy(t *testing.T) {
	rows := make(map[string]frame.Row)
	suite := frame.Suite{Name: "ipc", Cases: func(env *frame.Env) []frame.Case {
		return []frame.Case{ipc.BrokenPeer(env)}
	}}
	env := &frame.Env{Quick: true, Dir: t.TempDir(), Began: time.Now().Add(-time.Hour)}
	emit := func(r frame.Row) { rows[r.Spec.Name] = r }
	if _, err := frame.Run(t.Context(), suite, env, emit); err != nil {
		t.Fatal(err)
	}
	broken := rows["pair, ipc.Conn against nobody"]
	if broken.Err == nil || broken.OK ||
		!strings.Contains(broken.Err.Error(), `no task "echo nobody"`) {
		t.Errorf("ok %v, reason %v", broken.OK, broken.Err)
	}
	if good := rows["pair, ipc.Conn against socket"]; good.Err != nil || good.Ours.Median <= 0 {
		t.Errorf("the other row: %v, reason %v", good.Ours.Median, good.Err)
	}
}
