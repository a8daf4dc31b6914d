package gocacheprog_test

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

// Gets that end just when another reader takes the turn: every request is answered, and
// Serve ends only after the last answer.
func TestTurnIsTakenAtTheEndOfAGet(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			var n atomic.Int64
			var released atomic.Bool
			store := storeFuncs{
				get: func(gocacheprog.ID) (gocacheprog.Object, error) {
					if released.Load() {
						t.Error("a get after the end")
					}
					if n.Add(1)%2 == 0 {
						time.Sleep(gocacheprog.StuckGet)
					}
					return gocacheprog.Object{}, gocacheprog.ErrMiss
				},
				release: func() { released.Store(true) },
			}
			var out bytes.Buffer
			o := &gocacheprog.Options{Concurrency: 1}
			in := strings.Join(strings.SplitAfter(c1000gets(), "\n\n")[:20], "")
			if err := gocacheprog.Serve(t.Context(), strings.NewReader(in), &out, gocacheprog.Opened(store), o); err != nil {
				t.Error(err)
			}
			if got := strings.Count(out.String(), "\n"); got != 21 || n.Load() != 20 {
				t.Errorf("%d answers, %d gets", got-1, n.Load())
			}
		})
	}
}
