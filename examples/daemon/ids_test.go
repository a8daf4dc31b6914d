package main

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

// opCount notes the id that is its payload.
const opCount = 2

// countIDs adds the operation that notes ids. The note is a file's, because servers come and go;
// there is one at a time.
func countIDs(srv *ipc.Server) {
	var mu sync.Mutex // not every system appends as a whole
	srv.Handle(opCount, func(_ context.Context, r *ipc.Request) (*ipc.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if err := appendLine(os.Getenv(idsVariable), string(r.Payload)); err != nil {
			return nil, err
		}
		return r.Reply(r.Payload), nil
	})
}

// checkIDs demands that each id was noted once.
func checkIDs(t *testing.T, path string, sent map[string]bool) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	for line := range strings.Lines(string(b)) {
		seen[strings.TrimSpace(line)]++
	}
	var lost, twice, unknown int
	for id := range sent {
		if seen[id] == 0 {
			lost++
		}
	}
	for id, n := range seen {
		if n > 1 {
			twice++
		}
		if !sent[id] {
			unknown++
		}
	}
	if lost+twice+unknown > 0 {
		t.Errorf("of %d ids %d were lost, %d ran twice, %d were never sent", len(sent), lost, twice, unknown)
	}
}
