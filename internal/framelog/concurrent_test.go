package framelog_test

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// TestConcurrent appends, syncs, removes, reads and scans at the same time.
func TestConcurrent(t *testing.T) {
	for name, c := range map[string]struct {
		fs     vfs.FS
		dir    string
		frames int
	}{"os": {vfs.OS{}, t.TempDir(), 100}, "mem": {vfs.NewMem(dir), dir, 600}} {
		t.Run(name, func(t *testing.T) {
			o := small()
			o.SegmentBytes, o.MaxOpen = 2<<10, 2
			l := open(t, c.fs, c.dir, o)
			var (
				mu   sync.Mutex
				at   []framelog.Pos
				done atomic.Bool
				wg   sync.WaitGroup
			)
			some := func() (int, framelog.Pos) {
				mu.Lock()
				defer mu.Unlock()
				i := len(at) * 2 / 3
				if i == len(at) {
					return 0, framelog.Pos{}
				}
				return i, at[i]
			}
			until := func(f func()) {
				wg.Go(func() {
					for !done.Load() && !t.Failed() {
						f()
					}
				})
			}
			until(func() { readOne(t, l, some) })
			until(func() { readOne(t, l, some) })
			until(func() { scanAll(t, l) })
			until(func() {
				if err := l.Sync(); err != nil {
					t.Error(err)
				}
			})
			until(func() {
				if segs := l.Segments(); len(segs) > 8 {
					if err := l.Remove(segs[0].ID); err != nil {
						t.Error(err)
					}
				}
			})
			for i := range c.frames {
				var b framelog.Batch
				b.Add(binary.BigEndian.AppendUint64(nil, uint64(i)), make([]byte, i%300))
				if err := l.Append(&b); err != nil {
					t.Error(err)
					break
				}
				mu.Lock()
				at = append(at, b.Pos(0))
				mu.Unlock()
			}
			done.Store(true)
			wg.Wait()
		})
	}
}

func readOne(t *testing.T, l *framelog.Log, some func() (int, framelog.Pos)) {
	i, p := some()
	if p.IsZero() {
		return
	}
	body, err := l.ReadFrame(p, nil)
	if errors.Is(err, framelog.ErrNotFound) {
		return // removed
	}
	if err != nil || binary.BigEndian.Uint64(body) != uint64(i) || len(body) != 8+i%300 {
		t.Errorf("frame %d at %v: %d bytes, %v", i, p, len(body), err)
	}
}

func scanAll(t *testing.T, l *framelog.Log) {
	s := scan(l, framelog.Pos{})
	if s.err != nil || len(s.damage) > 0 {
		t.Errorf("scan: %v, %v", s.err, s.damage)
	}
}

// A scan's loop may change the log, and even remove the segment it is in.
func TestScanBodyChangesTheLog(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	m := model{}
	m.fill(t, l, 40)
	if err := l.Rotate(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for f, err := range l.Scan(framelog.Pos{}) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Pos.Segment%2 == 1 {
			if err := l.Remove(f.Pos.Segment); err != nil && !errors.Is(err, framelog.ErrNotFound) {
				t.Fatal(err)
			}
		}
		if body, err := l.ReadFrame(f.Pos, nil); f.Pos.Segment%2 == 0 && (err != nil || string(body) != m[f.Pos]) {
			t.Errorf("frame %v: %q, %v", f.Pos, body, err)
		}
		seen++
	}
	if seen < 20 || seen > 40 {
		t.Errorf("%d frames seen", seen)
	}
}

// Close waits for reads and ends a running scan with an error.
func TestCloseDuringReads(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	m := model{}
	ps := m.fill(t, l, 40)
	var wg sync.WaitGroup
	started := make(chan struct{}, 4)
	for range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				if i == 1 {
					started <- struct{}{}
				}
				if _, err := l.ReadFrame(ps[i%len(ps)], nil); err != nil {
					if !errors.Is(err, framelog.ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	for range 4 {
		<-started
	}
	var last error
	for _, err := range l.Scan(framelog.Pos{}) {
		last = err
		if cerr := l.Close(); cerr != nil {
			t.Fatal(cerr)
		}
	}
	if !errors.Is(last, framelog.ErrClosed) {
		t.Errorf("scan ended with %v", last)
	}
	wg.Wait()
}
