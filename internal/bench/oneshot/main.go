// Command oneshot is the smallest client of package ipc: it makes one call of 256 B to the server
// whose endpoint lies in the folder that it is given, and ends.
package main

import (
	"context"
	"os"
	"time"

	"github.com/larderbuild/larder/ipc"
)

func main() {
	if len(os.Args) != 2 {
		os.Stderr.WriteString("usage: oneshot DIR\n")
		os.Exit(2)
	}
	if err := call(os.Args[1]); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

func call(dir string) error {
	ep, err := ipc.NewEndpointIn(dir, "bench")
	if err != nil {
		return err
	}
	c, err := ipc.DialConn(context.Background(), ep, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	message := make([]byte, 256)
	_, err = c.CallAppend(make([]byte, 0, len(message)), 1, message, 30*time.Second)
	return err
}
