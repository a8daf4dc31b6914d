package ipc_test

import (
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc/ipctest"
)

// BenchmarkEcho has both ends in one process; the comparisons with others run in two.
func BenchmarkEcho(b *testing.B) {
	for _, size := range []int{256, 64 << 10, 1 << 20} {
		name := "/" + strconv.Itoa(size)
		b.Run("floor"+name, func(b *testing.B) { benchFloor(b, size) })
		b.Run("lockstep"+name, func(b *testing.B) {
			c := ipctest.Conn(b, newServer(b, nil), nil)
			benchCall(b, size, func(buf, req []byte) error {
				_, err := c.CallAppend(buf, opEcho, req, time.Minute)
				return err
			})
		})
		b.Run("multiplexed"+name, func(b *testing.B) {
			c := ipctest.Client(b, newServer(b, nil), nil)
			benchCall(b, size, func(buf, req []byte) error {
				_, err := c.CallAppend(buf, opEcho, req, time.Minute)
				return err
			})
		})
	}
}

// BenchmarkCallers shares one connection.
func BenchmarkCallers(b *testing.B) {
	for _, callers := range []int{8, 64, 256, 1024} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			c := ipctest.Client(b, newServer(b, nil), nil)
			b.ReportAllocs()
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					req, buf := make([]byte, 256), make([]byte, 0, 256)
					for range b.N / callers {
						if _, err := c.CallAppend(buf, opEcho, req, time.Minute); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}

func benchCall(b *testing.B, size int, call func(buf, req []byte) error) {
	req, buf := make([]byte, size), make([]byte, 0, size)
	b.ReportAllocs()
	for b.Loop() {
		if err := call(buf, req); err != nil {
			b.Fatal(err)
		}
	}
}

// benchFloor sends bytes there and back with nothing around them.
func benchFloor(b *testing.B, size int) {
	client, server := ipctest.Pair(b)
	var echo sync.WaitGroup
	echo.Go(func() {
		p := make([]byte, size)
		for {
			if _, err := io.ReadFull(server, p); err != nil {
				return
			}
			server.Write(p)
		}
	})
	benchCall(b, size, func(buf, req []byte) error {
		client.Write(req)
		_, err := io.ReadFull(client, buf[:size])
		return err
	})
	client.Close()
	echo.Wait()
	server.Close()
}
