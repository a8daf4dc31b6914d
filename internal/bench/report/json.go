package report

import (
	"encoding/json"
	"io"

	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/stat"
)

// line is one row as JSON. Figures are null where there are none: value and ratio without a peer,
// all of them where the row could not run.
type line struct {
	Suite  string      `json:"suite"`
	Name   string      `json:"name"`
	Unit   string      `json:"unit"`
	Ours   *float64    `json:"ours"`
	Peer   string      `json:"peer"`
	Value  *float64    `json:"value"`
	Ratio  *float64    `json:"ratio"`
	Target string      `json:"target"`
	OK     bool        `json:"ok"`
	Spread *[2]float64 `json:"spread,omitempty"`
	Peers  *[2]float64 `json:"peer_spread,omitempty"`
	Note   string      `json:"note,omitempty"`
	Why    string      `json:"why,omitempty"`
}

// JSON writes one row as one line.
func JSON(w io.Writer, r frame.Row) error {
	l := line{
		Suite: r.Suite, Name: r.Spec.Name, Unit: r.Spec.Unit, Peer: r.Spec.Peer,
		Target: r.Spec.Target.String(), OK: r.OK, Note: r.Note,
	}
	if r.Err != nil {
		l.Why = r.Err.Error()
	}
	l.Ours, l.Spread = fields(r.Ours)
	l.Value, l.Peers = fields(r.Peer)
	if r.HasRatio() {
		l.Ratio = &r.Ratio
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // keeps "<=" readable
	return enc.Encode(l)
}

func fields(s stat.Summary) (median *float64, spread *[2]float64) {
	if s.N == 0 {
		return nil, nil
	}
	return &s.Median, &[2]float64{s.Min, s.Max}
}
