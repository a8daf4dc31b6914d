//go:build unix

package ipc_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

// TestUnwantedDescriptors has servers that send descriptors nobody asked for; the leak check at the
// end of the tests holds that they are closed.
func TestUnwantedDescriptors(t *testing.T) {
	other, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	send := func(flags byte) script {
		return func(f *os.File) {
			b := answer(next(f), "\x00\x00\x01\x00\x00\x00\x00\x00")
			b.Flags = flags
			ipc.SendRights(f, b.Append(nil), other)
			untilClosed(f)
		}
	}
	t.Run("without a word", func(t *testing.T) {
		c := against(t, nil, send(0))
		if _, err := c.Call(t.Context(), 1, nil); err != nil {
			t.Errorf("the call says %v", err)
		}
	})
	t.Run("announced", func(t *testing.T) {
		c := against(t, nil, send(ipc.FlagFile))
		if _, err := c.Call(t.Context(), 1, nil); !errors.Is(err, ipc.ErrProtocol) {
			t.Errorf("the call says %v", err)
		}
	})
	t.Run("asked for", func(t *testing.T) {
		c := against(t, nil, send(ipc.FlagFile))
		f, err := c.CallFile(t.Context(), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if f.Size() != 64<<10 {
			t.Errorf("size %d", f.Size())
		}
		file, _ := f.OS()
		staysHere(t, "the answer", file)
		f.Close()
	})
	t.Run("to a call that is over", func(t *testing.T) {
		c := against(t, nil, func(f *os.File) {
			first := next(f)
			next(f) // its cancellation
			first.Payload = nil
			late := answer(first, "")
			late.Flags = ipc.FlagFile
			ipc.SendRights(f, late.Append(nil), other)
			f.Write(answer(next(f), "x").Append(nil))
			untilClosed(f)
		})
		if _, err := c.CallAppend(nil, 1, nil, 1e6); !errors.Is(err, ipc.ErrTimeout) {
			t.Fatal(err)
		}
		if _, err := c.Call(t.Context(), 1, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("in great number", func(t *testing.T) {
		c := against(t, nil, func(f *os.File) {
			b := answer(next(f), "x").Append(nil)
			for i := range b[:20] {
				ipc.SendRights(f, b[i:i+1], other)
			}
			untilClosed(f)
		})
		if _, err := c.Call(t.Context(), 1, nil); !errors.Is(err, ipc.ErrProtocol) {
			t.Errorf("the call says %v", err)
		}
	})
	t.Run("more than a message holds", func(t *testing.T) {
		c := against(t, nil, func(f *os.File) {
			b := answer(next(f), "x").Append(nil)
			raw, err := f.SyscallConn()
			if err != nil {
				t.Error(err)
				return
			}
			many := make([]int, 14)
			for i := range many {
				many[i] = int(other.Fd())
			}
			raw.Write(func(fd uintptr) bool {
				err = syscall.Sendmsg(int(fd), b, syscall.UnixRights(many...), nil, 0)
				return true
			})
			if err != nil {
				t.Error(err)
			}
			untilClosed(f)
		})
		if _, err := c.Call(t.Context(), 1, nil); !errors.Is(err, ipc.ErrProtocol) {
			t.Errorf("the call says %v", err)
		}
	})
}
