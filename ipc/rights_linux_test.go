//go:build linux && (amd64 || arm64)

// Only where wire_sendmsg.go is: elsewhere each read looks for descriptors.

package ipc_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

// TestExpectDuringRead asks for the first descriptor while another goroutine is in the call of the system that would drop it,
// and stays there.
func TestExpectDuringRead(t *testing.T) {
	r, here, there := readerPair(t)
	holdLong(t, r, here)
	read, expected := make(chan error), make(chan struct{})
	go func() {
		_, err := r.Read(make([]byte, 1))
		read <- err
	}()
	for !r.Drops() {
		runtime.Gosched()
	}
	go func() {
		r.Expect()
		close(expected)
	}()
	for range 10_000 { // for the other goroutine
		runtime.Gosched()
	}
	select {
	case <-expected:
		t.Error("a request for a descriptor may leave while that would be dropped")
	default:
	}
	_, err := there.Write([]byte("a"))
	if err = errors.Join(err, <-read); err != nil {
		t.Fatal(err)
	}
	<-expected
	err = ipc.SendRights(there, []byte("b"), here)
	if _, rerr := r.Read(make([]byte, 1)); err != nil || rerr != nil {
		t.Fatal(err, rerr)
	}
	if n := r.Files(); n != 1 {
		t.Errorf("%d descriptors came", n)
	}
}
