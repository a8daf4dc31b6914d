package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/stat"
)

func TestMain(m *testing.M) {
	if code, isChild := child.Main(os.Args, jobs()); isChild {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, args, err string
	}{
		{"suite", "-suite store -quick -entries 1e4", ""},
		{"no suite", "-quick", `want one of: store, gobuild, ipc, buildabi`},
		{"unknown suite", "-suite nothing", `want one of`},
		{"bad expression", "-suite store -rows (", "error parsing regexp"},
		{"too few", "-suite store -entries 12", "whole number"},
		{"a fraction", "-suite store -entries 1000.5", "whole number"},
		{"argument", "-suite store more", `unexpected argument "more"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := parse(strings.Fields(tt.args), &bytes.Buffer{})
			if tt.err == "" {
				if err != nil || o.entries != 10_000 || !o.quick || o.suite.Name != "store" {
					t.Errorf("%+v, error %v", o, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q in it", err, tt.err)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	row := frame.Row{Suite: "s", Spec: frame.Spec{Name: "a", Target: frame.AtMost(1)}, Ours: stat.Of([]float64{2})}
	broken := row
	broken.Err = errors.New("no disk")
	tests := []struct {
		name string
		rows []frame.Row
		err  string
	}{
		{"a missed target is no failure", []frame.Row{row}, ""},
		{"a row that could not run is one", []frame.Row{row, broken}, "1 of 2 rows could not run"},
		{"nothing measured is one", nil, "no row was measured"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := finish(&options{}, tt.rows, &bytes.Buffer{})
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

// The whole program over the smallest store: rows that have no bearing on speed must be there, be JSON, and
// leave nothing behind.
func TestRunSmall(t *testing.T) {
	dir := t.TempDir()
	plots := filepath.Join(dir, "plots")
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o777); err != nil {
		t.Fatal(err)
	}
	var out, said bytes.Buffer
	code := run([]string{"-suite", "store", "-quick", "-json", "-entries", "2000", "-dir", work, "-plot", plots,
		"-rows", "^(index get, |open to first get, 2000|put 256 B, Always)"}, &out, &said)
	if code != 0 {
		t.Fatalf("exit code %d, said:\n%s\n%s", code, &said, &out)
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		var row struct {
			Name string
			Ours float64
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil || row.Ours <= 0 {
			t.Errorf("line %q: figure %v, error %v", line, row.Ours, err)
		}
		names = append(names, row.Name)
	}
	if len(names) != 3 {
		t.Errorf("rows %q, want 3", names)
	}
	if left, err := os.ReadDir(work); err != nil || len(left) != 0 {
		t.Errorf("%d temporary folders left, error %v", len(left), err)
	}
	if drawn, err := os.ReadDir(plots); err != nil || len(drawn) == 0 {
		t.Errorf("%d drawings, error %v", len(drawn), err)
	}
}
