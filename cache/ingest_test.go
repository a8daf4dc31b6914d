package cache

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/larderbuild/larder/internal/vfs"
)

// TestKnownContentMakesNoFile puts content under a second key. Up to a chunk of it is in memory
// before a file is made, and then none is.
func TestKnownContentMakesNoFile(t *testing.T) {
	var made atomic.Int64
	faults := vfs.NewFaults(vfs.NewMem("/d"), func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpOpen && op.Flag&os.O_CREATE != 0 && strings.Contains(op.Path, "tmp") {
			made.Add(1)
		}
		return vfs.Fault{}
	})
	s, _ := openCounting(t, faults, nil)
	for _, c := range []struct {
		name       string
		size       int
		first, two int64 // files made by the first put, and by both
	}{
		{"inline", 100, 0, 0},
		{"small", 5000, 1, 1},
		{"one byte less than a chunk", chunk - 1, 1, 1},
		{"a chunk and a byte", chunk + 1, 1, 2},
	} {
		text := strings.Repeat("x", c.size)
		for i, want := range []int64{c.first, c.two} {
			if i == 0 {
				made.Store(0)
			}
			if err := putText(s, c.name+strings.Repeat("'", i), text); err != nil {
				t.Fatal(err)
			}
			if got := made.Load(); got != want {
				t.Errorf("%s: %d files made by %d puts, want %d", c.name, got, i+1, want)
			}
		}
		if got, err := getText(s, c.name+"'"); got != text || err != nil {
			t.Errorf("%s: got %d bytes, error %v", c.name, len(got), err)
		}
	}
}
