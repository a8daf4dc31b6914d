package ipc_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

func TestProcess(t *testing.T) {
	own, err := ipc.ProcessOf(os.Getpid())
	if err != nil || own.PID != os.Getpid() || own.Start == 0 || !own.Alive() {
		t.Errorf("this process: %+v, %v", own, err)
	}
	if again, _ := ipc.ProcessOf(os.Getpid()); again != own {
		t.Errorf("this process is %+v and %+v", own, again)
	}
	if reused := (ipc.Process{PID: own.PID, Start: own.Start + 1}); reused.Alive() {
		t.Error("a process that had our number before us lives")
	}
	for _, pid := range []int{0, -1, 1 << 30} {
		if p, err := ipc.ProcessOf(pid); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("process %d: %+v, %v", pid, p, err)
		}
	}
	if (ipc.Process{}).Alive() {
		t.Error("no process lives")
	}
}

// TestProcessZombie looks at a process that has ended and was not waited for.
func TestProcessZombie(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^$")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	p, err := ipc.ProcessOf(cmd.Process.Pid)
	if err != nil {
		t.Skip("it has ended before it was looked at:", err)
	}
	for b := make([]byte, 64); ; {
		if _, err := out.Read(b); err != nil {
			break // its end closes the pipe, a moment before it is a zombie
		}
	}
	for p.Alive() {
	}
}
