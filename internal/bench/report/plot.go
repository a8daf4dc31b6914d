package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/larderbuild/larder/internal/bench/frame"
)

// Sizes of a drawing, in pixels.
const (
	labelWidth  = 440
	barWidth    = 420
	figureWidth = 280
	barHeight   = 12
	rowHeight   = 2*barHeight + 10
	topMargin   = 34
)

// Plot writes one SVG drawing a unit into dir, named suite-unit.svg, and makes dir when it is not
// there. Every row has a bar for ours and one for the peer. Bars of a row share a
// scale of their own, since rows of one unit differ by a thousand times.
func Plot(dir string, rows []frame.Row) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("report: plot: %w", err)
	}
	byUnit := make(map[string][]frame.Row)
	var names []string
	for _, r := range rows {
		if r.Err != nil {
			continue
		}
		name := fileName(r.Suite, r.Spec.Unit)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		byUnit[name] = append(byUnit[name], r)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), drawing(byUnit[name]), 0o666); err != nil {
			return fmt.Errorf("report: plot: %w", err)
		}
	}
	return nil
}

func fileName(suite, unit string) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, unit)
	return suite + "-" + plain + ".svg"
}

func drawing(rows []frame.Row) []byte {
	var b bytes.Buffer
	width := labelWidth + barWidth + figureWidth
	height := topMargin + len(rows)*rowHeight
	fmt.Fprintf(&b, "<svg xmlns=%q width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"11\">\n",
		"http://www.w3.org/2000/svg", width, height)
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", width, height)
	title := fmt.Sprintf("%s, %s: ours above, peer below; each row has its own scale",
		rows[0].Suite, rows[0].Spec.Unit)
	text(&b, 8, 18, "start", title)
	for i, r := range rows {
		drawRow(&b, topMargin+i*rowHeight, r)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func drawRow(b *bytes.Buffer, y int, r frame.Row) {
	text(b, labelWidth-8, y+barHeight+2, "end", r.Spec.Name)
	scale := max(r.Ours.Median, r.Peer.Median)
	bar(b, y, r.Ours.Median, scale, "#1f6f54", "ours "+number(r.Ours.Median)+mark(r))
	if r.Spec.Peer != "" {
		bar(b, y+barHeight, r.Peer.Median, scale, "#b5b5b5",
			r.Spec.Peer+" "+number(r.Peer.Median))
	}
}

func mark(r frame.Row) string {
	target := r.Spec.Target.String()
	if target == "" {
		return ""
	}
	return fmt.Sprintf(" (%s: %s)", target, verdict(r))
}

func bar(b *bytes.Buffer, y int, value, scale float64, color, label string) {
	width := 0
	if value > 0 && scale > 0 {
		width = int(value / scale * barWidth)
	}
	fmt.Fprintf(b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=%q/>\n",
		labelWidth, y, width, barHeight-1, color)
	text(b, labelWidth+width+4, y+barHeight-3, "start", label)
}

func text(b *bytes.Buffer, x, y int, anchor, s string) {
	fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" text-anchor=%q>", x, y, anchor)
	xml.EscapeText(b, []byte(s))
	b.WriteString("</text>\n")
}
