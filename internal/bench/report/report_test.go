package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/report"
	"github.com/larderbuild/larder/internal/bench/stat"
)

func rows() []frame.Row {
	return []frame.Row{{
		Suite: "store",
		Spec: frame.Spec{
			Name: "put 1 KiB", Unit: "puts/s", Peer: "files", Target: frame.RatioAtLeast(1),
		},
		Ours:  stat.Of([]float64{51234, 40000, 60000}),
		Peer:  stat.Of([]float64{10000, 9000, 11000}),
		Ratio: 5.1234, OK: true,
	}, {
		Suite: "store",
		Spec:  frame.Spec{Name: "open <1e6>", Unit: "ms", Target: frame.AtMost(50)},
		Ours:  stat.Of([]float64{61.25}), Note: "cold & slow",
	}, {
		Suite: "store",
		Spec:  frame.Spec{Name: "get", Unit: "us", Peer: "badger", Target: frame.AtMost(10)},
		Err:   errors.New("no index"),
	}}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := report.Table(&b, rows()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	wants := []string{
		"row unit ours (min-max) peer peer's (min-max) ratio target verdict",
		"put 1 KiB puts/s 51,234 (40,000-60,000) files 10,000 (9,000-11,000) 5.12x >=1x ok",
		"open <1e6> ms 61.2 - - - <=50 missed",
		"get us - badger - - <=10 COULD NOT RUN",
		"note: open <1e6>: cold & slow",
		"could not run: get: no index",
	}
	for i, want := range wants {
		if got := strings.Join(strings.Fields(lines[i]), " "); got != want {
			t.Errorf("line %d: %q, want %q", i, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	tests := []struct {
		name string
		want map[string]any
	}{
		{"measured", map[string]any{
			"suite": "store", "name": "put 1 KiB", "unit": "puts/s", "ours": 51234.0,
			"peer": "files", "value": 10000.0, "ratio": 5.1234, "target": ">=1x", "ok": true,
		}},
		{"without a peer", map[string]any{
			"ours": 61.25, "peer": "", "value": nil, "ratio": nil, "target": "<=50",
			"ok": false, "note": "cold & slow",
		}},
		{"could not run", map[string]any{
			"ours": nil, "peer": "badger", "value": nil, "ratio": nil, "ok": false,
			"why": "no index",
		}},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := report.JSON(&b, rows()[i]); err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(b.Bytes(), []byte("\n")); n != 1 {
				t.Errorf("%d lines, want 1", n)
			}
			var got map[string]any
			if err := json.Unmarshal(b.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			for key, want := range tt.want {
				if value, ok := got[key]; !ok || value != want {
					t.Errorf("%s = %v (present %v), want %v", key, value, ok, want)
				}
			}
		})
	}
}

func TestPlot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "plots")
	if err := report.Plot(dir, rows()); err != nil {
		t.Fatal(err)
	}
	wants := map[string][]string{
		"store-puts_s.svg": {"put 1 KiB", "ours 51,234 (>=1x: ok)", "files 10,000"},
		"store-ms.svg":     {"open <1e6>", "ours 61.2 (<=50: missed)"},
	}
	for name, texts := range wants {
		drawing, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(textsOf(t, drawing), "\n")
		for _, text := range texts {
			if !strings.Contains(all, text) {
				t.Errorf("%s lacks %q, has:\n%s", name, text, all)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "store-us.svg")); err == nil {
		t.Error("a row that could not run was drawn")
	}
}

// textsOf parses the whole drawing, so that one that is not well-formed fails.
func textsOf(t *testing.T, drawing []byte) []string {
	t.Helper()
	var texts []string
	d := xml.NewDecoder(bytes.NewReader(drawing))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := token.(xml.CharData); ok {
			texts = append(texts, string(data))
		}
	}
}
