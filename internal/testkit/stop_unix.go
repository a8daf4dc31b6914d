//go:build unix

package testkit

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// StopProcess returns when the process has stopped, which a signal only begins. It skips the test where the system does
// not tell.
func StopProcess(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			t.Skip("this system does not tell when a process has stopped:", err)
		}
		if strings.Contains(string(stat), ") T ") {
			return
		}
	}
}
