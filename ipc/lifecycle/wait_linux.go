package lifecycle

import (
	"context"
	"errors"
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
	f, err := openProcess(p)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	if err != nil {
		return pollGone(ctx, p, pause)
	}
	defer f.Close()
	stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	// The descriptor becomes readable when the process ends, and has nothing to read. The first look
	// is before any wait: the number may have gone to another process already.
	err = raw.Read(func(uintptr) bool { return !p.Alive() })
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// openProcess returns a descriptor of the process that has the number now.
func openProcess(p ipc.Process) (*os.File, error) {
	if p.PID <= 0 {
		return nil, os.ErrProcessDone
	}
	fd, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(p.PID), nonblock, 0)
	if errno == syscall.ESRCH {
		return nil, os.ErrProcessDone
	}
	if errno != 0 {
		return nil, os.NewSyscallError("pidfd_open", errno)
	}
	return os.NewFile(fd, "process"), nil
}
