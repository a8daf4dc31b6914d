package ipc_test

import (
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// TestWritesCoalesce makes calls while nobody reads: their frames go out in one write. Only a socket
// that keeps writes apart shows that.
func TestWritesCoalesce(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	client, server := os.NewFile(uintptr(fds[0]), "client"), os.NewFile(uintptr(fds[1]), "server")
	defer server.Close()
	client.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	for err == nil {
		_, err = client.Write(make([]byte, 16<<10)) // until the socket is full
	}
	client.SetWriteDeadline(time.Time{})
	c, err := ipc.NewClient(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	call := func() {
		calls.Go(func() { c.Call(t.Context(), 1, []byte{7}) }) // ends when the client is closed
	}
	defer calls.Wait()
	defer c.Close()
	call()
	for !ipc.Writing(c) || ipc.Queued(c) > 0 {
		<-time.After(time.Millisecond) // until it waits, with the right to write
	}
	const others, size = 50, ipc.HeaderSize + 1
	for range others {
		call()
	}
	for ipc.Queued(c) < others*size {
		<-time.After(time.Millisecond) // until they wait for the first one
	}
	b := make([]byte, 1<<20)
	for n := 0; n == 0 || b[n-1] != 7; {
		if n, err = server.Read(b); err != nil { // up to the frame of the first one
			t.Fatal(err)
		}
	}
	if n, err := server.Read(b); n != others*size || err != nil {
		t.Errorf("a write of %d bytes, %v, want %d frames of %d at once", n, err, others, size)
	}
}
