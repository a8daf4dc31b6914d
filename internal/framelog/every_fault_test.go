package framelog_test

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// failing makes n steps fail, beginning with one; half of each write is done all the same, and every other folder that is to
// be synced cannot be opened.
func failing(first, n int, err error) vfs.Hook {
	return func(op vfs.Op) vfs.Fault {
		if op.Step < first || op.Step >= first+n {
			return vfs.Fault{}
		}
		if op.Kind == vfs.OpSyncDir && op.Step%2 == 0 {
			return vfs.Fault{Err: syscall.EMFILE, Unopened: true}
		}
		return vfs.Fault{Err: err, Partial: op.Size * (op.Step % 3) / 2}
	}
}

// TestFaults makes each step fail, alone and with those that follow: what was acknowledged is
// there, what was synced is there after a power loss, and of groups that failed nothing is.
func TestFaults(t *testing.T) {
	r := testkit.Rand(t)
	for range rounds {
		seed := r.Uint64()
		for n := 1; n <= 4; n++ {
			for step := 1; faultAt(t, r, seed, step, n); step++ {
				if t.Failed() {
					t.FailNow()
				}
			}
		}
	}
}

// faultAt plays two lives, the second with n faults, and reports whether it had that many
// steps.
func faultAt(t *testing.T, r *rand.Rand, seed uint64, step, n int) bool {
	t.Helper()
	h := newHistory()
	mem := h.firstLife(t, seed)
	faults := vfs.NewFaults(mem, failing(step, n, syscall.EIO))
	err := h.secondLife(faults, seed+1)
	if h.failed && !errors.Is(err, framelog.ErrFailed) {
		t.Errorf("seed %d, step %d, %d faults: last sync of a failed log: %v", seed, step, n, err)
	}
	if err == nil {
		h.maybe = nil // no failed group may be found
	}
	for name, tree := range mem.Crashes(r, 3) {
		if err := h.check(tree, name == "kill"); err != nil {
			t.Errorf("seed %d, %d faults from step %d of %d, %s: %v", seed, n, step, faults.Steps(), name, err)
		}
	}
	return step <= faults.Steps()
}
