//go:build unix

package lifecycle

import (
	"os"
	"strconv"
	"syscall"
)

// Inherit adds the readiness handle to what a process is started with and returns the text
// to pass to its [OpenReadiness]. For package os/exec: the files of attr from the fourth on are the
// ExtraFiles of a command.
func (s *SpawnInfo) Inherit(attr *os.ProcAttr) string {
	for len(attr.Files) < 3 {
		attr.Files = append(attr.Files, nil)
	}
	attr.Files = append(attr.Files, s.ready)
	return strconv.Itoa(len(attr.Files) - 1)
}

// keepHere keeps a descriptor from being passed on.
func keepHere(fd uintptr) error {
	var stat syscall.Stat_t
	if err := syscall.Fstat(int(fd), &stat); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	syscall.CloseOnExec(int(fd))
	return nil
}

// endRead closes f, whose reader tells read of its end, and returns what that tells.
func endRead(f *os.File, read <-chan error) error {
	f.Close()
	return <-read
}
