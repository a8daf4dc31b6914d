package ipc_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// TestStrayPieces has pieces come for requests that are complete. The race detector sees that who reads does not look at
// a call that has ended meanwhile, which may be another connection's by then: that answers wait for the first, which is
// not read, keeps all else from putting the two in order.
func TestStrayPieces(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the next call is what the last one was
	s, began, release := holdingServer(t, nil)
	stray, other := rawClient(t, s, 2), rawClient(t, s, 2)
	stray.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: opEcho, Slot: 1, Payload: make([]byte, 16<<20)}))
	for st := s.Status(); st.Latency.Total() == 0; st = s.Status() {
		<-time.After(time.Millisecond)
	}
	<-time.After(10 * time.Millisecond)
	for gen := range uint32(10) {
		call := ipc.RawFrame{Kind: ipc.KindRequest, Op: opHold, Gen: gen}
		stray.Write(frame(call))
		<-began
		stray.Write(frame(ipc.RawFrame{Kind: ipc.KindPiece, Gen: gen}))
		<-time.After(time.Millisecond) // until it is read, most times
		release <- struct{}{}
		for calls, _ := ipc.Held(s); calls > 1; calls, _ = ipc.Held(s) {
			<-time.After(time.Millisecond)
		}
		other.Write(frame(call))
		<-began
		release <- struct{}{}
		next(other)
	}
	stray.Close() // the answers are for nobody
}
