package index_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/vfs"
)

// TestReadersWhileTablesMerge demands of gets and scans, while tables come and go, that each key is there and never
// goes back to an older value.
func TestReadersWhileTablesMerge(t *testing.T) {
	const keys, rounds = 100, 400
	x, err := index.OpenSmall(vfs.OS{}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var versions [keys]atomic.Uint64 // that Apply has returned for
	round := func(n uint64) {
		var ops []index.Op
		for i := range keys {
			if n == 1 || rand.IntN(4) == 0 {
				ops = append(ops, index.Op{Key: key('k', i), Value: binary.LittleEndian.AppendUint64(nil, n)})
			}
		}
		if err := errors.Join(x.Apply(ops, set([]byte("last"), "1")), x.Merge(false)); err != nil {
			t.Error(err)
		}
		for i, at := 0, 0; i < keys && at < len(ops); i++ {
			if string(ops[at].Key) == string(key('k', i)) {
				versions[i].Store(n)
				at++
			}
		}
	}
	round(1)
	check := func(i int, least uint64, value []byte) {
		if len(value) != 8 || binary.LittleEndian.Uint64(value) < least {
			t.Errorf("key %d: %x, not version %d or later", i, value, least)
		}
	}
	var done atomic.Bool
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for !done.Load() {
				i := rand.IntN(keys)
				least := versions[i].Load()
				v, _, err := x.Get(key('k', i), nil)
				if err != nil {
					t.Error(err)
				}
				check(i, least, v)
			}
		})
	}
	group.Go(func() {
		order := map[string]int{}
		for i := range keys {
			order[string(key('k', i))] = i
		}
		for !done.Load() {
			var least [keys]uint64
			for i := range least {
				least[i] = versions[i].Load()
			}
			n := 0
			for op, err := range x.Scan([]byte("k"), nil) {
				if err != nil {
					t.Error(err)
					break
				}
				i := order[string(op.Key)]
				check(i, least[i], op.Value)
				n++
			}
			if n != keys {
				t.Errorf("a scan gave %d of %d keys", n, keys)
			}
		}
	})
	for n := range uint64(rounds) {
		round(n + 2)
	}
	done.Store(true)
	group.Wait()
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}

// TestCloseWaitsForScans closes under a scan, which goes on to its end.
func TestCloseWaitsForScans(t *testing.T) {
	x := openSmall(t, vfs.NewMem(folder))
	for i := range 200 {
		apply(t, x, set(key('k', i), "value"))
	}
	n, closed, begun := 0, make(chan error, 1), make(chan struct{})
	for _, err := range x.Scan([]byte("k"), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			go func() { close(begun); closed <- x.Close() }()
			<-begun
		}
		select {
		case err := <-closed:
			t.Fatalf("closed in the middle of a scan: %v", err)
		default:
		}
	}
	if err := <-closed; err != nil || n != 200 {
		t.Errorf("%d records, close: %v", n, err)
	}
}

// TestScanOutlivesItsTables reads tables to the end that were merged meanwhile, and whose files go with the scan.
func TestScanOutlivesItsTables(t *testing.T) {
	mem := vfs.NewMem(folder)
	x := openSmall(t, mem)
	for i := range 200 {
		apply(t, x, set(key('k', i), "old"))
	}
	n := 0
	for op, err := range x.Scan([]byte("k"), nil) {
		if err != nil || string(op.Value) != "old" {
			t.Fatalf("%q, %v", op.Value, err)
		}
		if n++; n == 1 {
			for i := range 200 {
				apply(t, x, set(key('k', i), "new"))
			}
		}
	}
	if n != 200 {
		t.Errorf("%d records", n)
	}
	if files, err := mem.ReadDir(folder); err != nil || len(files) > x.Tables()+1 {
		t.Errorf("%d files for %d tables, %v", len(files), x.Tables(), err)
	}
}
