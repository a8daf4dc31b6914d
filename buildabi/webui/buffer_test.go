package webui_test

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"testing"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/webui"
)

// TestSendBuffer has a server of the host's own: what the system keeps for a client is as little as with buildabi.Serve.
func TestSendBuffer(t *testing.T) {
	board := buildabi.NewBoard(nil)
	board.StartBuild("a")
	for _, secure := range []bool{false, true} {
		s := httptest.NewUnstartedServer(webui.Handler(board, nil))
		l := &bufferNotes{s.Listener, make(chan int, 10)}
		s.Listener = l
		if secure {
			s.StartTLS()
		} else {
			s.Start()
		}
		c, err := net.Dial("tcp", l.Addr().String())
		must(t, err)
		if secure {
			c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		}
		handshake(t, c, upgrade).frame() // Hello: the upgrade may be answered first
		select {
		case n := <-l.set:
			if n != 64<<10 {
				t.Errorf("TLS %v: the system keeps %d bytes", secure, n)
			}
		default:
			t.Errorf("TLS %v: the system keeps what it likes", secure)
		}
		must(t, c.Close())
		s.Close()
	}
}

// bufferNotes is a listener that notes what its connections let the system keep.
type bufferNotes struct {
	net.Listener
	set chan int
}

func (l *bufferNotes) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &bufferNoted{c.(*net.TCPConn), l.set}, nil
}

type bufferNoted struct {
	*net.TCPConn
	set chan int
}

func (c *bufferNoted) SetWriteBuffer(n int) error {
	c.set <- n
	return c.TCPConn.SetWriteBuffer(n)
}
