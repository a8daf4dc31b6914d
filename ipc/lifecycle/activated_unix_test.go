//go:build unix

package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// playActivated serves a socket that it was started with, as a service manager would have it.
func playActivated(args []string) int {
	files, err := ipc.Activated(func(name string) string {
		return map[string]string{"LISTEN_PID": strconv.Itoa(os.Getpid()), "LISTEN_FDS": "1",
			"LISTEN_FDNAMES": "echo"}[name]
	})
	if err == nil && (len(files) != 1 || files[0].Name() != "echo") {
		err = fmt.Errorf("activated with %v", files)
	}
	if err == nil {
		err = lifecycle.CloseInherited()
	}
	if err == nil {
		err = serveActivated(args[0], files[0])
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func serveActivated(dir string, socket *os.File) error {
	ep, err := ipc.NewEndpointIn(dir, "test")
	if err != nil {
		return err
	}
	claim, err := lifecycle.Claim(context.Background(), ep, &lifecycle.ClaimOptions{Inherited: socket})
	if err != nil {
		return err
	}
	return ipc.NewServer(nil).Serve(context.Background(), claim)
}

// TestActivated connects to a socket before the process that serves it is started.
func TestActivated(t *testing.T) {
	ep, dir := newEndpoint(t)
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	socket := os.NewFile(uintptr(fd), "socket")
	defer socket.Close()
	err = errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: ep.String()}), syscall.Listen(fd, 8))
	if err != nil {
		t.Fatal(err)
	}
	early, err := ipc.Dial(t.Context(), ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	cmd := testkit.Command(t, "activated", dir)
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Stdout = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	status, err := early.Status(t.Context())
	if err != nil || status.Process.PID != cmd.Process.Pid {
		t.Errorf("status of process %d: %+v, %v", cmd.Process.Pid, status, err)
	}
	early.Close()
	exited := make(chan error)
	go func() { exited <- cmd.Wait() }()
	outcome, err := lifecycle.Stop(t.Context(), ep, nil)
	if outcome != lifecycle.Drained || err != nil {
		t.Errorf("stop: %v, %v", outcome, err)
	}
	if err := <-exited; err != nil {
		t.Errorf("server: %v", err)
	}
	if !ep.Listening() {
		t.Error("the service manager's socket is gone")
	}
}
