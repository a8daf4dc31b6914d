package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/larderbuild/larder/cache"
)

// holdings are what a store holds.
type holdings struct {
	Dir     string `json:"dir"`
	Entries int64  `json:"entries"`
	Files   int64  `json:"files"`
	Bytes   int64  `json:"bytes"`  // of the files
	Shared  int64  `json:"shared"` // bytes that entries with the same content do not take again
	Log     int64  `json:"log"`    // bytes of the log
}

func holdingsOf(root string, s *cache.Store) holdings {
	st := s.Stats()
	return holdings{
		Dir: root, Entries: st.Entries, Files: st.Payloads, Bytes: st.PayloadBytes,
		Shared: st.SharedBytes, Log: st.LogBytes,
	}
}

func runStats(c *call) (int, error) {
	flags := c.flags()
	dir := dirFlag(flags)
	asJSON := flags.Bool("json", false, "print JSON")
	if err := c.parse(flags, 0); err != nil {
		return exitUsage, err
	}
	return c.onStore(*dir, (*reach).dial, func(_ context.Context, root string, s *cache.Store) (int, error) {
		h := holdingsOf(root, s)
		if *asJSON {
			return exitOK, printJSON(c.stdout, h)
		}
		return exitOK, h.print(c.stdout)
	})
}

func (h holdings) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, `store            %s
outputs          %d in %d files
stored           %s
saved by sharing %s
log              %s
`, h.Dir, h.Entries, h.Files, formatBytes(h.Bytes), formatBytes(h.Shared), formatBytes(h.Log))
	return err
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "\t")
	return enc.Encode(v)
}
