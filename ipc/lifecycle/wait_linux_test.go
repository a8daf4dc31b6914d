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
	awaitPidfd(t, before)
	owner.Kill()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestGoneWhileShort has a process end while this one has no descriptor to look with: it is looked for again.
func TestGoneWhileShort(t *testing.T) {
	c, p := startSleeper(t)
	before := pidfds()
	gone := make(chan error, 1)
	go func() { gone <- lifecycle.WaitGone(t.Context(), p) }() // ends with the process, or with the test
	awaitPidfd(t, before)
	feed := starve(t, 0)
	c.Cmd.Process.Kill()
	<-time.After(50 * time.Millisecond) // in vain it looks now
	feed()
	select {
	case err := <-gone:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for a process that has ended")
	}
}

// awaitPidfd waits until there are more descriptors that stand for processes.
func awaitPidfd(t *testing.T, before int) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); pidfds() == before; {
		if time.Now().After(limit) {
			t.Fatal("no further descriptor stands for a process")
		}
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
