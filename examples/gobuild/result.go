package main

import (
	"fmt"
	"io"
	"strings"
)

// result is what the demonstration found out.
type result struct {
	Target     []string   `json:"target"`
	Packages   int        `json:"packages"`
	Larder     pair       `json:"larder"`
	Own        pair       `json:"go_cache"`
	ColdCounts counts     `json:"cold_counts"`
	WarmCounts counts     `json:"warm_counts"`
	Store      holdings   `json:"store"`
	Compared   comparison `json:"compared"`
}

type pair struct {
	Cold timing `json:"cold"`
	Warm timing `json:"warm"`
}

type timing struct {
	Wall float64 `json:"wall_seconds"`
}

// code is the exit code after builds that all succeeded.
func (r *result) code() int {
	if len(r.Compared.Different) > 0 {
		return exitFailure
	}
	return exitOK
}

func (r *result) print(w io.Writer) error {
	var b strings.Builder
	row := func(name, cold, warm string) { fmt.Fprintf(&b, "%-24s %12s %12s\n", name, cold, warm) }
	seconds := func(t timing) string { return fmt.Sprintf("%.2f s", t.Wall) }
	number := func(n int64) string { return fmt.Sprint(n) }
	cold, warm := r.ColdCounts, r.WarmCounts
	b.WriteByte('\n')
	row("", "cold", "warm")
	row("larder", seconds(r.Larder.Cold), seconds(r.Larder.Warm))
	row("Go's own cache", seconds(r.Own.Cold), seconds(r.Own.Warm))
	b.WriteByte('\n')
	row("hits", number(cold.Hits), number(warm.Hits))
	row("misses", number(cold.Gets-cold.Hits), number(warm.Gets-warm.Hits))
	row("puts", number(cold.Puts), number(warm.Puts))
	row("bytes put", formatBytes(cold.PutBytes), formatBytes(warm.PutBytes))
	b.WriteByte('\n')
	fmt.Fprintf(&b, "stored            %s in %d files, %s of log\n",
		formatBytes(r.Store.Bytes), r.Store.Files, formatBytes(r.Store.Log))
	fmt.Fprintf(&b, "saved by sharing  %s\n", formatBytes(r.Store.Shared))
	r.Compared.print(&b)
	_, err := io.WriteString(w, b.String())
	return err
}
