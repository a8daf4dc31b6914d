package ipc_test

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/larderbuild/larder/ipc"
)

// TestProcessUnknown may not look at a process: that does not make it dead.
func TestProcessUnknown(t *testing.T) {
	nobody, err := windows.SecurityDescriptorFromString("D:P") // lets nobody do anything
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	attributes := syscall.SecurityAttributes{SecurityDescriptor: uintptr(unsafe.Pointer(nobody))}
	attributes.Length = uint32(unsafe.Sizeof(attributes))
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^$")
	cmd.SysProcAttr = &syscall.SysProcAttr{ProcessAttributes: &attributes}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait() // until which its number is its own
	pid := cmd.Process.Pid
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err == nil {
		windows.CloseHandle(h)
		t.Skip("this user may look at any process")
	}
	if _, err := ipc.ProcessOf(pid); !errors.Is(err, syscall.ERROR_ACCESS_DENIED) {
		t.Errorf("the process is %v", err)
	}
	if !(ipc.Process{PID: pid}).Alive() {
		t.Error("the process is said to be dead")
	}
}
