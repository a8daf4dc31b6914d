package framelog_test

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// A group is one write.
func TestOneWritePerGroup(t *testing.T) {
	writes := 0
	l := open(t, vfs.NewFaults(vfs.NewMem(dir), func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpWrite {
			writes++
		}
		return vfs.Fault{}
	}), dir, &framelog.Options{ID: logID})
	m := model{}
	m.add(t, l, "the first makes the segment")
	writes = 0
	m.fill(t, l, 10)
	m.add(t, l, make([]string, 1000)...)
	if writes != 11 {
		t.Errorf("%d writes for 11 groups", writes)
	}
	if err := l.Rotate(); err != nil {
		t.Fatal(err)
	}
	m.add(t, l, "another segment")
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	writes = 0
	m.fill(t, l, 10)
	if writes != 11 {
		t.Errorf("%d writes for a roster and 10 groups", writes)
	}
}

// A read of a short frame is one read, and Sync without news is no call.
func TestOneReadPerFrame(t *testing.T) {
	mem := vfs.NewMem(dir)
	faults := vfs.NewFaults(mem, nil)
	l := open(t, faults, dir, &framelog.Options{ID: logID})
	ps := model{}.add(t, l, "short", "frames")
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	before := faults.Calls()
	for _, p := range ps {
		if _, err := l.ReadFrame(p, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if n := faults.Calls() - before; n != len(ps) {
		t.Errorf("%d calls for %d reads", n, len(ps))
	}
}

func TestNoAllocations(t *testing.T) {
	l := open(t, vfs.OS{}, t.TempDir(), &framelog.Options{ID: logID})
	var all framelog.Batch
	key, body, dst := make([]byte, 32), make([]byte, 700), make([]byte, 0, 4<<10)
	group := func() {
		all.Reset()
		for range 20 {
			all.Add(key, body)
		}
		if err := l.Append(&all); err != nil {
			t.Fatal(err)
		}
	}
	group()
	if n := testing.AllocsPerRun(100, group); n != 0 {
		t.Errorf("%v allocations for a group", n)
	}
	read := func() {
		if _, err := l.ReadFrame(all.Pos(3), dst); err != nil {
			t.Fatal(err)
		}
		if err := l.ReadBody(all.Pos(3), 32, body); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, read); n != 0 {
		t.Errorf("%v allocations for a read", n)
	}
}

// A scan does not hold more than a chunk and a frame, whatever lengths the log speaks of.
func TestScanMemoryIsFlat(t *testing.T) {
	mem := vfs.NewMem(dir)
	l := open(t, mem, dir, &framelog.Options{ID: logID})
	body := bytes.Repeat([]byte("z"), 100<<10)
	var b framelog.Batch
	for range 200 {
		b.Reset()
		b.Add(body)
		if err := l.Append(&b); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if s := scanCount(l); s != 200 {
		t.Errorf("%d frames", s)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
		t.Errorf("a scan of %d bytes allocates %d", l.Size(), n)
	}
}

// scanCount scans without keeping anything.
func scanCount(l *framelog.Log) (n int) {
	for _, err := range l.Scan(framelog.Pos{}) {
		if err == nil {
			n++
		}
	}
	return n
}

func BenchmarkAppend(b *testing.B) {
	l, batch := benchLog(b), framelog.Batch{}
	body := make([]byte, 200)
	b.SetBytes(int64(framelog.Padded(len(body))))
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset()
		batch.Add(body)
		if err := l.Append(&batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadFrame(b *testing.B) {
	l, batch := benchLog(b), framelog.Batch{}
	for range 10000 {
		batch.Add(make([]byte, 200))
	}
	if err := l.Append(&batch); err != nil {
		b.Fatal(err)
	}
	var dst []byte
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = l.ReadFrame(batch.Pos(i*7919%10000), dst); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkScan(b *testing.B) {
	for name, size := range map[string]int{"200B": 200, "1KiB": 1 << 10, "600KiB": 600 << 10} {
		b.Run(name, func(b *testing.B) {
			l, batch := benchLog(b), framelog.Batch{}
			for l.Size() < 64<<20 {
				batch.Reset()
				for range max(1, 64<<10/size) {
					batch.Add(make([]byte, size))
				}
				if err := l.Append(&batch); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(l.Size())
			for b.Loop() {
				scanCount(l)
			}
		})
	}
}

func benchLog(b *testing.B) *framelog.Log {
	l, err := framelog.Open(vfs.OS{}, b.TempDir(), &framelog.Options{ID: logID})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}
