package seenpcs_test

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/larderbuild/larder/buildabi/seenpcs"
)

// coverageFile writes a file as a fuzzer does, with its full size and in place.
func coverageFile(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *seenpcs.Follower {
	t.Helper()
	f, err := seenpcs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func writeAt(t *testing.T, path string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func TestFollow(t *testing.T) {
	g := goldens(t)["pcs_65"]
	path := coverageFile(t, g.bytes)
	f := open(t, path)
	pcs, err := f.PCs()
	if err != nil || !slices.Equal(pcs, g.file.PCs) {
		t.Errorf("program counters %x, %v, want %x", pcs, err, g.file.PCs)
	}
	c, err := f.Coverage()
	if err != nil || c.Runs != g.file.Runs || c.UniqueRuns != 9 ||
		!slices.Equal(c.Covered, g.file.Hits) {
		t.Errorf("coverage %+v, %v", c, err)
	}
	first := slices.Clone(c.Covered)
	writeAt(t, path, 0, binary.LittleEndian.AppendUint64(nil, 77))
	writeAt(t, path, 24, []byte{0xff})
	writeAt(t, path, 32, []byte{0xff}) // bits of no program counter among them
	again, err := f.Coverage()
	if err != nil || again.Runs != 77 || again.Covered[0] != 0xff || again.Covered[8] != 1 {
		t.Errorf("later coverage %+v, %v", again, err)
	}
	if !slices.Equal(c.Covered, first) {
		t.Error("the coverage read before has changed")
	}
}

// TestFollowOtherSize cuts and extends the file under a follower.
func TestFollowOtherSize(t *testing.T) {
	b := goldens(t)["pcs_64"].bytes
	for name, size := range map[string]int64{"empty": 0, "header cut": 20, "bits cut": 28,
		"counters cut": int64(len(b)) - 1, "grown": int64(len(b)) + 1} {
		path := coverageFile(t, b)
		f := open(t, path)
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		if c, err := f.Coverage(); !errors.Is(err, seenpcs.ErrFormat) || c != nil {
			t.Errorf("%s: coverage %+v, %v", name, c, err)
		}
		if size < int64(len(b)) {
			if pcs, err := f.PCs(); !errors.Is(err, seenpcs.ErrFormat) || pcs != nil {
				t.Errorf("%s: program counters %x, %v", name, pcs, err)
			}
		}
		if err := os.WriteFile(path, b, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Coverage(); err != nil {
			t.Errorf("%s: once it is whole again: %v", name, err)
		}
	}
}

// TestFollowOther puts a good file of another program in its place.
func TestFollowOther(t *testing.T) {
	path := coverageFile(t, goldens(t)["pcs_64"].bytes)
	f := open(t, path)
	if err := os.WriteFile(path, goldens(t)["pcs_65"].bytes, 0); err != nil {
		t.Fatal(err)
	}
	if c, err := f.Coverage(); !errors.Is(err, seenpcs.ErrFormat) {
		t.Errorf("coverage %+v, %v", c, err)
	}
	if pcs, err := f.PCs(); !errors.Is(err, seenpcs.ErrFormat) {
		t.Errorf("program counters %x, %v", pcs, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	whole := goldens(t)["pcs_64"].bytes
	for name, b := range map[string][]byte{
		"empty": nil, "cut": whole[:len(whole)-8], "no program counters": make([]byte, 24),
		"not filled in": make([]byte, len(whole)),
	} {
		if f, err := seenpcs.Open(coverageFile(t, b)); !errors.Is(err, seenpcs.ErrFormat) || f != nil {
			t.Errorf("%s: opened, %v", name, err)
		}
	}
	if _, err := seenpcs.Open(filepath.Join(t.TempDir(), "f")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestOpenTooMany opens a sparse file whose size fits to an absurd number of program counters.
func TestOpenTooMany(t *testing.T) {
	const pcs = 1<<26 + 64
	path := coverageFile(t, binary.LittleEndian.AppendUint64(make([]byte, 16), pcs))
	if err := os.Truncate(path, 24+pcs/8+pcs*8); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := seenpcs.Open(path)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, seenpcs.ErrFormat) || f != nil {
		t.Errorf("opened: %v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes were allocated for it", n)
	}
}
