//go:build unix

package ipc_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
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
	t.Run("without a word, to who asks for one each time", func(t *testing.T) {
		const calls = 20 // more than may be open at a time
		c := against(t, nil, func(f *os.File) {
			for range calls {
				ipc.SendRights(f, answer(next(f), "x").Append(nil), other)
			}
			untilClosed(f)
		})
		for range calls {
			if _, err := c.CallFile(t.Context(), 1, nil); err != nil {
				t.Fatalf("the call says %v", err)
			}
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
		soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := c.CallFile(soon, 1, nil); !errors.Is(err, ipc.ErrTimeout) {
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
		if _, err := c.CallFile(t.Context(), 1, nil); !errors.Is(err, ipc.ErrProtocol) {
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
		if _, err := c.CallFile(t.Context(), 1, nil); !errors.Is(err, ipc.ErrProtocol) {
			t.Errorf("the call says %v", err)
		}
	})
	t.Run("in great number to a client that never asked for any", func(t *testing.T) {
		c := against(t, nil, func(f *os.File) {
			b := answer(next(f), "x").Append(nil)
			for i := range b {
				ipc.SendRights(f, b[i:i+1], other)
			}
			untilClosed(f)
		})
		if _, err := c.Call(t.Context(), 1, nil); err != nil {
			t.Errorf("the call says %v", err)
		}
	})
}

// TestDescriptorBesideAFailure has servers that send a descriptor with an answer of which the caller gets an error only.
func TestDescriptorBesideAFailure(t *testing.T) {
	for name, kind := range map[string]byte{"an error": ipc.KindError, "too large an answer": ipc.KindResponse} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			c := against(t, &ipc.ClientOptions{MaxMessage: 7}, func(f *os.File) {
				b := answer(next(f), "\x00\x00\x01\x00\x00\x00\x00\x00")
				b.Kind, b.Flags = kind, ipc.FlagFile
				ipc.SendRights(f, b.Append(nil), w)
				w.Close()
				untilClosed(f)
			})
			if _, err := c.CallFile(t.Context(), 1, nil); ipc.OutcomeOf(err) != ipc.Answered {
				t.Errorf("the call says %v", err)
			}
			r.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := r.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("the descriptor stays open: %v", err)
			}
		})
	}
}

// TestDescriptorComesWithItsFrame adds a frame while those before an answer with a descriptor are written: it does not
// come between the two.
func TestDescriptorComesWithItsFrame(t *testing.T) {
	client, server := ipctest.Pair(t)
	defer server.Close()
	c, err := ipc.NewClient(client, &ipc.ClientOptions{PingEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	other, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ipc.AddRaw(c, ipc.RawFrame{Kind: ipc.KindResponse, Payload: make([]byte, 1<<20)}) // more than a socket takes
	before, sent := ipc.Queued(c), make(chan error, 1)
	go func() { // ends when all is read
		sent <- ipc.SendRawFile(c, ipc.RawFrame{Kind: ipc.KindResponse, Flags: ipc.FlagFile}, other)
	}()
	for ipc.Queued(c) > 0 {
		runtime.Gosched()
	}
	ipc.AddRaw(c, ipc.RawFrame{Kind: ipc.KindResponse})
	if _, err := io.CopyN(io.Discard, server, int64(before)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var head [ipc.HeaderSize]byte
		n, files, err := ipc.ReadRights(server, head[:])
		if err != nil || n < len(head) || (files > 0) != (head[5]&ipc.FlagFile != 0) {
			t.Errorf("%d descriptors come with %x, %v", files, head[:n], err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}
