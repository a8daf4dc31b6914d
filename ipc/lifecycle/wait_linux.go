package lifecycle

import (
	"context"
	"os"
	"syscall"
	"time"

	"github.com/larderbuild/larder/ipc"
)

const (
	sysPidfdOpen = 434 // the same on every architecture
	nonblock     = syscall.O_NONBLOCK
)

// waitGone returns when the process has ended, or with the cause of ctx's end. pause is how often
// it looks where it cannot wait for the event itself.
func waitGone(ctx context.Context, p ipc.Process, pause time.Duration) error {
	fd, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(p.PID), nonblock, 0)
	if errno != 0 {
		return pollGone(ctx, p, pause) // it has ended, or the kernel is old
	}
	f := os.NewFile(fd, "process")
	defer f.Close()
	stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	// The descriptor becomes readable when the process ends, and has nothing to read. The first look
	// is before any wait: the number may have gone to another process already. It tells but once.
	told := false
	err = raw.Read(func(uintptr) bool {
		gone := told || !p.Alive()
		told = true
		return gone
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return pollGone(ctx, p, pause) // at once, unless this process can neither wait nor look, as for lack of descriptors
}
