package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// faultRun is a life in which calls of the file system fail, and which goes on all the same.
type faultRun struct {
	*crashRun
	hook    vfs.Hook
	cause   error // of the failures
	failed  *failures
	first   int // of the calls that fail
	judged  int // how many of failed judge has seen
	names   []string
	alone   bool // nobody else uses the store
	store   *Store
	held    *Artifact
	text    string        // of held
	spoiled bool          // a read of an entry may have failed
	clock   *atomic.Int64 // nanoseconds since faultEpoch
	lost    bool          // the log takes no more, or a folder's sync failed: what is not synced by now can never be
}

// failures is the calls that failed.
type failures struct {
	mu  sync.Mutex
	ops []vfs.Op
}

func (f *failures) add(op vfs.Op) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ops = append(f.ops, op)
}

func (f *failures) list() []vfs.Op {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ops)
}

// TestLifeWithFaults lets calls fail, one or some that follow each other: what was acknowledged is there, in that
// life, after its death and, with Always, after a power loss.
func TestLifeWithFaults(t *testing.T) {
	rng := testkit.Rand(t)
	for range faultLives {
		seed := rng.Uint64()
		whole := newFaultRun(0, 0, nil, Always)
		if err := whole.life(seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		calls := whole.fault.Calls()
		for n := 1; n <= 4; n++ {
			for first := 1 + rng.IntN(faultStride); first <= calls; first += faultStride {
				for _, cause := range []error{errIO, errFull, syscall.EMFILE} {
					d := []Durability{Always, Always, Group, None}[rng.IntN(4)]
					r := newFaultRun(first, n, cause, d)
					r.whole = rng.IntN(2) == 0
					if !r.try(t, rng, seed) {
						t.Fatalf("seed %d, durability %v, %v: %q", seed, d, cause, r.failed.list())
					}
				}
			}
		}
	}
}

// newFaultRun makes n calls fail, beginning with one; of some writes a part is done all the same.
func newFaultRun(first, n int, cause error, d Durability) *faultRun {
	r := &faultRun{cause: cause, first: first, failed: &failures{}, names: crashNames, alone: true}
	r.hook = func(op vfs.Op) vfs.Fault {
		if op.Call < r.first || op.Call >= r.first+n {
			return vfs.Fault{}
		}
		r.failed.add(op)
		return vfs.Fault{Err: cause, Unopened: cause == syscall.EMFILE, Partial: op.Size * (op.Call % 3) / 2}
	}
	r.crashRun = newCrashRun(r.hook, d)
	r.faulty = true
	r.clock = new(atomic.Int64)
	r.opt.Now = func() time.Time { return faultEpoch.Add(time.Duration(r.clock.Load())) }
	return r
}

var faultEpoch = time.Now()

// try plays the life and looks at what may be left.
func (r *faultRun) try(t *testing.T, rng *rand.Rand, seed uint64) bool {
	if err := r.life(seed); err != nil {
		t.Error(err)
		return false
	}
	return r.survived(t, rng)
}

// survived opens what may be left with every index.
func (r *faultRun) survived(t *testing.T, rng *rand.Rand) bool {
	r.fault.SetHook(nil)
	for name, tree := range r.mem.Crashes(rng, 2) {
		exact := name == "kill" || r.opt.Durability == Always && !r.lost
		for which, ix := range r.indexes(tree) {
			if !r.check(t, name+", "+which, tree.Kill(), ix, exact) {
				return false
			}
		}
	}
	return true
}

// life does this and that, the same for the same seed. It goes on after errors that tell of the cause, and returns
// others.
func (r *faultRun) life(seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 7))
	var err error
	for i := 0; i < 40 && err == nil; i++ {
		err = r.step(rng)
	}
	err = errors.Join(err, r.close())
	r.judge()
	return err
}

// judge allows what the new failures may have done to entries.
func (r *faultRun) judge() {
	failed := r.failed.list()
	for _, op := range failed[r.judged:] {
		payload, log := strings.Contains(op.Path, "blobs"), strings.HasSuffix(op.Path, ".log")
		for _, name := range r.names {
			switch {
			case op.Kind == vfs.OpSyncDir: // the next one succeeds without having written anything
				r.lost = true
			case payload && (op.Kind == vfs.OpSync || op.Kind == vfs.OpRead): // the file was taken away
				r.pending[name] = append(r.pending[name], "")
				r.spoiled = true
			case log && (op.Kind == vfs.OpRead || op.Kind == vfs.OpOpen): // a frame was passed over by a rebuild
				r.pending[name] = append(append(r.pending[name], r.ever[name]...), "")
				r.spoiled = true
			}
		}
	}
	r.judged = len(failed)
}

func (r *faultRun) step(rng *rand.Rand) (err error) {
	defer r.judge()
	if r.store == nil {
		r.lost = r.lost || r.syncFailed()
		r.store, err = open(context.Background(), crashRoot, r.opt, r.seams(r.fault, &r.index))
		if err != nil {
			return r.known(err)
		}
	}
	op, name := rng.IntN(16), r.names[rng.IntN(len(r.names))]
	r.clock.Add(rng.Int64N(int64(2 * time.Hour)))
	if err = r.known(r.do(op, name, rng)); err != nil {
		err = fmt.Errorf("op %d on %s: %w", op, name, err)
	}
	return err
}

// do makes one of 16 operations.
func (r *faultRun) do(op int, name string, rng *rand.Rand) error {
	ctx, s := context.Background(), r.store
	switch op {
	case 0:
		return s.Sync(ctx)
	case 1:
		err := r.compact(s)
		if r.judge(); r.spoiled && errors.Is(err, framelog.ErrDamaged) {
			return nil // it says what a rebuild has passed over
		}
		return err
	case 2:
		s.commitMu.Lock()
		defer s.commitMu.Unlock()
		if err := s.flush(false); !errors.Is(err, index.ErrDamaged) {
			return err
		}
		return nil // it is rebuilt
	case 3:
		if rng.IntN(3) == 0 {
			s.distrust(index.ErrDamaged)
		}
		return nil
	case 4:
		if r.alone {
			return r.compact(s) // the other makes hundreds of calls, and each of them fails in its turn
		}
		_, err := s.Verify(ctx, nil)
		if errors.Is(err, index.ErrDamaged) {
			return nil // it is being rebuilt
		}
		return err
	case 5:
		if rng.IntN(2) == 0 {
			if s.park() && r.alone {
				r.keepOlder()
			}
			return nil
		}
		return s.logTouches()
	case 6, 7:
		if r.alone && op == 6 {
			r.keepOlder()
			return r.close()
		}
		return r.hold(name)
	case 8, 9:
		return r.delete(name)
	case 10, 11:
		err := r.get(s, name)
		if err != nil {
			r.judge() // a get may find that the index must be rebuilt
			err = r.get(s, name)
		}
		return err
	}
	text := []string{"inline ", "multi ", strings.Repeat("big ", 700), strings.Repeat("fill ", 200)}[rng.IntN(4)]
	return r.put(s, name, text+fmt.Sprint(rng.IntN(4)))
}

// syncFailed reports whether a sync of the log or of a folder failed: for the next process it succeeds without having
// written anything.
func (r *faultRun) syncFailed() bool {
	for _, op := range r.failed.list() {
		if op.Kind == vfs.OpSyncDir || op.Kind == vfs.OpSync && strings.HasSuffix(op.Path, ".log") {
			return true
		}
	}
	return false
}

// delete takes an entry away. On a full disk that is held in memory, and what a failed put left in the log can be found
// again in the next life.
func (r *faultRun) delete(name string) error {
	before := append([]string{r.acked[name]}, r.pending[name]...)
	err := r.del(r.store, name)
	if errors.Is(err, ErrNotFound) && r.allowed(name, "") {
		return nil
	}
	if err == nil && r.cause == errFull {
		r.pending[name] = before
	}
	return err
}

// audit audits the store without faults of its own.
func (r *faultRun) audit() error {
	r.judge()
	r.fault.SetHook(nil)
	defer r.fault.SetHook(r.hook)
	return audit(r.store, r.spoiled)
}

func (r *faultRun) close() error {
	if r.store == nil {
		return nil
	}
	err := errors.Join(r.audit(), r.letGo())
	err = errors.Join(r.known(err), r.known(r.store.Close(context.Background())))
	r.store = nil
	return err
}

// hold leases an entry, and lets go of the one that was leased before.
func (r *faultRun) hold(name string) error {
	err := r.letGo()
	if err != nil {
		return err
	}
	a, err := r.store.Get(context.Background(), nameKey(name))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if r.text, err = readText(a, name); err != nil || r.text == "" {
		a.Release()
		return err
	}
	r.held = a
	return nil
}

// letGo demands of the leased entry that it is as it was.
func (r *faultRun) letGo() error {
	if r.held == nil {
		return nil
	}
	defer func() { r.held = nil }()
	defer r.held.Release()
	got, err := readText(r.held, "held")
	r.judge()
	if err == nil && got != r.text && !(got == "" && r.spoiled) {
		err = fmt.Errorf("held %.20q is %.20q", r.text, got)
	}
	return err
}

// known returns nil for an error that tells of the cause.
func (r *faultRun) known(err error) error {
	if r.cause == nil || !errors.Is(err, r.cause) && !(r.cause == errFull && errors.Is(err, ErrNoSpace)) {
		return err
	}
	return nil
}
