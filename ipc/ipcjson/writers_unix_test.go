//go:build unix

// Not for Windows: wine does not append in one step.

package ipcjson_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipcjson"
)

// TestManyWriters has lines of several logs in one file.
func TestManyWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			l := ipcjson.NewLog(path, 0)
			for range 50 {
				l.Event(ipc.Event{Kind: "test", PID: i + 1, Reason: strings.Repeat("r", 1000*i)})
			}
			if err := l.Err(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file %v, %v", info, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	count := map[int]int{}
	for l := range bytes.Lines(text) {
		var line struct{ PID int }
		if err := json.Unmarshal(l, &line); err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		count[line.PID]++
	}
	for i := range 8 {
		if count[i+1] != 50 {
			t.Errorf("%d lines of writer %d", count[i+1], i+1)
		}
	}
}
