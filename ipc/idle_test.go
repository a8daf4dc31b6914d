package ipc_test

import (
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// TestIdleAfterLongCall has calls that last long before their handler runs, or after it has returned: the server had
// those until now.
func TestIdleAfterLongCall(t *testing.T) {
	for _, what := range []string{"request", "answer"} {
		t.Run(what, func(t *testing.T) {
			s := newServer(t, nil)
			c := rawClient(t, s, 2)
			request := ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagMore, Op: opEcho, Payload: []byte("x")}
			handled := int64(0)
			end := func() { c.Write(frame(ipc.RawFrame{Kind: ipc.KindCancel})) }
			if what == "answer" {
				request.Flags, request.Payload, handled = 0, make([]byte, 16<<20), 1
				end = func() { readPieces(t, c, ipc.KindResponse) }
			}
			c.Write(frame(request))
			for {
				st := s.Status()
				if calls, _ := ipc.Held(s); calls == 1 && st.Latency.Total() == handled {
					break
				}
				<-time.After(time.Millisecond)
			}
			<-time.After(20 * time.Millisecond)
			before := time.Now()
			end()
			settled(t, s)
			if idle := ipc.Idle(s); idle > time.Since(before)+time.Millisecond {
				t.Errorf("idle for %v", idle)
			}
		})
	}
}
