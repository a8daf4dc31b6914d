package lifecycle_test

import (
	"os"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc/lifecycle"
)

// TestOwnersByEvent has an owner: its end is told by the system, and not looked for now and then.
func TestOwnersByEvent(t *testing.T) {
	owner, p := startSleeper(t)
	var o lifecycle.Owners
	if err := o.Add(p.PID); err != nil {
		t.Fatal(err)
	}
	before := pidfds()
	ended := make(chan error, 1)
	go func() { ended <- o.Run(t.Context()) }()
	for limit := time.Now().Add(10 * time.Second); pidfds() == before; {
		if time.Now().After(limit) {
			t.Error("no further descriptor stands for the owner")
			break
		}
	}
	owner.Kill()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// pidfds counts the descriptors that stand for processes. Those of our children are package os's.
func pidfds() (n int) {
	files, _ := os.ReadDir("/proc/self/fd")
	for _, f := range files {
		if to, _ := os.Readlink("/proc/self/fd/" + f.Name()); to == "anon_inode:[pidfd]" {
			n++
		}
	}
	return n
}
