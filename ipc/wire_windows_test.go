package ipc_test

import (
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
