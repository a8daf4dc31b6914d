package echo_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/larderbuild/larder/internal/bench/echo"
)

// start serves the kind and returns a session. Temporary folders of tests are too long for a
// socket's path.
func start(t *testing.T, k echo.Kind) echo.Session {
	t.Helper()
	dir, err := os.MkdirTemp("", "lb-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	stop, err := k.Serve(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	dial, err := k.Dialer(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestEveryKindEchoes(t *testing.T) {
	for _, k := range echo.Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			call := start(t, k).Caller()
			random := rand.NewChaCha8([32]byte{1})
			for _, size := range []int{256, 1, 64 << 10, 256, 1 << 20, 4 << 10} {
				if k.Batch > 1 && size > 4<<10 {
					continue // would fill both directions and wait for itself
				}
				message := make([]byte, size)
				random.Read(message)
				answer, err := call(message)
				if err != nil || !bytes.Equal(answer, message) {
					t.Fatalf("%d bytes: other bytes or error: %v", size, err)
				}
			}
		})
	}
}

func TestCallersShareAConnection(t *testing.T) {
	for _, name := range []string{echo.Multiplexed, echo.NetRPC, echo.TTRPC, echo.GRPC} {
		t.Run(name, func(t *testing.T) {
			k, ok := echo.Named(name)
			if !ok {
				t.Fatal("no such kind")
			}
			s := start(t, k)
			var callers sync.WaitGroup
			for i := range 8 {
				callers.Go(func() {
					call := s.Caller()
					message := bytes.Repeat([]byte{byte(i)}, 300)
					for range 50 {
						if answer, err := call(message); err != nil || !bytes.Equal(answer, message) {
							t.Errorf("caller %d: %d bytes, error %v", i, len(answer), err)
							return
						}
					}
				})
			}
			callers.Wait()
		})
	}
}
