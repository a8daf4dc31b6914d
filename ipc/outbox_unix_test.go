//go:build unix

// Elsewhere the goroutine that calls does not write.

package ipc_test

import (
	"io"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

// TestReadBeforeTheWriteReturns has a server that dies when it has read a small request, while the write that has brought
// it goes on for a large one: it may have run.
func TestReadBeforeTheWriteReturns(t *testing.T) {
	read, writes := make(chan ipc.RawFrame, 1), make(chan struct{})
	c := against(t, &ipc.ClientOptions{PingEvery: -1}, func(f *os.File) {
		read <- next(f)
		<-writes
	})
	release, queued := ipc.TakeTurn(c), ipc.Queued(c)
	small := later(c, 1, "small")
	for ipc.Queued(c) == queued {
		runtime.Gosched()
	}
	goOn, large := make(chan struct{}), make(chan error, 1)
	ctx := newHooked(t.Context())
	ctx.begin = sync.OnceFunc(func() { close(writes) }) // before it waits for the server to take more
	ctx.end = func() { <-goOn }                         // between the write and what follows it
	go func() {                                         // ends with the connection
		_, err := c.Call(ctx, 1, make([]byte, 8<<20))
		large <- err
	}()
	for ipc.WantTurn(c) == 0 {
		runtime.Gosched()
	}
	release()
	if got := <-read; string(got.Payload) != "small" {
		t.Errorf("the server has read %+v", got)
	}
	checkCall(t, <-small, io.EOF, ipc.PhaseWait, ipc.MaybeProcessed)
	close(goOn)
	if err := <-large; ipc.OutcomeOf(err) != ipc.MaybeProcessed {
		t.Errorf("the large request: %v, outcome %v", err, ipc.OutcomeOf(err))
	}
}
