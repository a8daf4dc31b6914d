package ipctest

import (
	"context"
	"os"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

func pair(tb testing.TB) (a, b *os.File, err error) {
	ep, err := endpoint(tb)
	if err != nil {
		return nil, nil, err
	}
	l, err := ipc.Listen(ep, nil)
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	accepted := make(chan error, 1)
	go func() { // ends with the connection below, or with the listener
		var err error
		b, err = l.Accept()
		accepted <- err
	}()
	if a, err = ep.Dial(context.Background()); err != nil {
		l.Close()
	}
	if acceptErr := <-accepted; err == nil {
		err = acceptErr
	}
	return a, b, err
}

func endpoint(tb testing.TB) (ipc.Endpoint, error) {
	return ipc.NewEndpointIn(tb.TempDir(), tb.Name())
}
