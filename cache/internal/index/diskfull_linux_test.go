//go:build long

package index_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
)

// reserve is the free space that the store keeps by default.
const reserve = 256 << 20

func free(t *testing.T, dir string) int64 {
	t.Helper()
	var s syscall.Statfs_t
	must(t, syscall.Statfs(dir, &s))
	return int64(s.Bavail) * int64(s.Bsize)
}

// TestChildFills applies until the reserve is reached and then lets the engine go on alone, again and again.
func TestChildFills(t *testing.T) {
	if *childDir == "" {
		t.Skip("child only")
	}
	x, err := index.OpenBadger(index.Options{Dir: filepath.Join(*childDir, "index")})
	must(t, err)
	filler, err := os.Create(filepath.Join(*childDir, "filler"))
	must(t, err)
	var most int64
	n := 0
	for round := range 12 {
		must(t, filler.Truncate(0)) // room for some more
		for range 15 + 2*round {
			must(t, x.Apply(fill(n, 2500), set(lastKey, fmt.Sprint(n))))
			n += 2500
		}
		grow(t, filler, free(t, *childDir)-reserve)
		bound := x.Headroom()
		used := settle(t)
		if most = max(most, used); used > bound {
			t.Errorf("used %d MiB after it had said %d", used>>20, bound>>20)
		}
	}
	fmt.Printf("\nmost %d MiB, of %d records\n", most>>20, n)
	must(t, x.Close())
}

// grow gives the file that many bytes.
func grow(t *testing.T, f *os.File, size int64) {
	t.Helper()
	if size > 0 {
		must(t, syscall.Fallocate(int(f.Fd()), 0, 0, size))
	}
}

// settle waits until the free space has not changed for a second, and returns by how much it was below the reserve.
func settle(t *testing.T) int64 {
	t.Helper()
	least, last, since := int64(reserve), int64(0), time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		now := free(t, *childDir)
		if least = min(least, now); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > 1500*time.Millisecond {
			break
		}
	}
	return reserve - least
}

func fill(from, count int) []index.Op {
	ops := make([]index.Op, count)
	for i := range ops {
		v := make([]byte, 130)
		binary.BigEndian.PutUint64(v, uint64(from+i))
		ops[i] = index.Op{Key: key('f', from+i), Value: v}
	}
	return ops
}

// TestDiskFull keeps the reserve and nothing more: what the engine writes on its own fits into it. Without the
// reserve the process would end by SIGBUS.
func TestDiskFull(t *testing.T) {
	root := mount(t, 900<<20)
	out, err := child(t, "TestChildFills", root)
	if err != nil || !strings.Contains(out, "PASS") {
		t.Fatalf("child ended with %v: %.2000s", err, out)
	}
	_, most, _ := strings.Cut(out, "most ")
	t.Logf("the engine alone used %s", strings.SplitN(most, "\n", 2)[0])
}
