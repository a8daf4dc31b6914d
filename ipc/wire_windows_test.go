package ipc_test

import (
	"os"
	"runtime"
	"testing"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// TestGivenUpOnSmallPipe is TestGivenUpWhileItIsRead on a pipe that takes a write only as far as it is read: when that is
// cancelled, the system says that nothing has left.
func TestGivenUpOnSmallPipe(t *testing.T) {
	client, server, err := ipc.SmallPipe(ipctest.Endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	giveUpWhileItIsRead(t, client, server)
}

// TestDiesOnSmallPipe has a server that dies when it has read a small request, and a part of the write that has brought
// it: the system says that nothing has left, and yet it may have run.
func TestDiesOnSmallPipe(t *testing.T) {
	client, server, err := ipc.SmallPipe(ipctest.Endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	c := againstOn(t, client, server, &ipc.ClientOptions{PingEvery: -1}, func(f *os.File) {
		if got := next(f); string(got.Payload) != "small" {
			t.Errorf("the server has read %+v", got)
		}
	})
	release, queued := ipc.TakeTurn(c), ipc.Queued(c)
	small := later(c, 1, "small")
	for ipc.Queued(c) == queued {
		runtime.Gosched()
	}
	large := later(c, 1, string(make([]byte, 40<<10)))
	for ipc.WantTurn(c) == 0 {
		runtime.Gosched()
	}
	release()
	for name, call := range map[string]<-chan error{"small": small, "large": large} {
		if err := <-call; err == nil || ipc.OutcomeOf(err) != ipc.MaybeProcessed {
			t.Errorf("the %s request: %v, outcome %v", name, err, ipc.OutcomeOf(err))
		}
	}
}
