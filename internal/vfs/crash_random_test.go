package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"os"
	"path"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

var tree = []string{"d/a", "d/b", "e/a", "e/b"}

// Random changes, a sync of everything, more changes, a crash: all that was synced and not
// touched again is there, and nothing is there that never was.
func TestCrashKeepsWhatWasSynced(t *testing.T) {
	r := testkit.Rand(t)
	for range 60 {
		m := vfs.NewMem("d", "e")
		disturb(t, r, m, 30, 8)
		syncAll(t, m)
		synced := snapshot(t, m)
		if got := snapshot(t, m.Crash(vfs.Torn(r.Uint64()))); got != synced {
			t.Fatalf("all is synced, yet a crash made\n%v of\n%v", got, synced)
		}
		disturb(t, r, m, 30, 6)
		now := snapshot(t, m)
		for how, want := range map[vfs.Loss]contentsOf{
			{}:                                   synced,
			{Bytes: vfs.Kept, Entries: vfs.Kept}: now,
		} {
			if got := snapshot(t, m.Crash(how)); got != want {
				t.Fatalf("%v: %v, want %v", how, got, want)
			}
		}
		for how, disk := range m.Crashes(r, 4) {
			before := snapshot(t, disk)
			disturb(t, r, disk, 10, 6) // a clone shares bytes with its source, but no changes
			if snapshot(t, m) != now || snapshot(t, m.Crash(vfs.Loss{})) != synced {
				t.Fatalf("%s: changes of a clone show in its source", how)
			}
			if how == "kill" {
				before = synced
			}
			if got := snapshot(t, disk.Crash(vfs.Loss{})); got != before {
				t.Fatalf("%s: durable are %v, want %v", how, got, before)
			}
		}
	}
}

// contentsOf holds the size and a hash of each file of the tree.
type contentsOf [4]string

var seed = maphash.MakeSeed()

func snapshot(t *testing.T, m *vfs.Mem) (s contentsOf) {
	t.Helper()
	for i, name := range tree {
		p := read(t, m, name)
		s[i] = fmt.Sprintf("%d:%x", len(p), maphash.String(seed, p)>>48)
	}
	return s
}

func syncAll(t *testing.T, m *vfs.Mem) {
	t.Helper()
	for _, name := range tree {
		if f, err := m.OpenFile(name, os.O_RDONLY, 0); err == nil {
			must(t, errors.Join(f.Sync(), f.Close()))
		}
	}
	must(t, errors.Join(m.SyncDir("d"), m.SyncDir("e")))
}

// disturb makes random calls of the first kinds of eight, the last two of which sync.
func disturb(t *testing.T, r *rand.Rand, m *vfs.Mem, calls, kinds int) {
	t.Helper()
	for range calls {
		name := tree[r.IntN(len(tree))]
		switch r.IntN(kinds) {
		case 0:
			m.Remove(name)
		case 1:
			m.Rename(name, tree[r.IntN(len(tree))])
		case 6:
			m.SyncDir(name[:1])
		default:
			f, err := m.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
			must(t, err)
			change(r, f, kinds)
			must(t, f.Close())
		}
	}
}

func change(r *rand.Rand, f vfs.File, kinds int) {
	switch r.IntN(kinds) {
	case 0:
		f.Truncate(int64(r.IntN(3000)))
	case 6:
		f.Sync()
	default:
		f.WriteAt(testkit.Bytes(r, r.IntN(1500)), int64(r.IntN(2000)))
	}
}

// A file of which a synced part is never touched again keeps that part whatever happens to
// the rest: the rule that an append-only log stands on.
func TestCrashKeepsTheSyncedStartOfALog(t *testing.T) {
	r := testkit.Rand(t)
	var torn, whole, gone int
	for range 300 {
		m := vfs.NewMem("d")
		f := open(t, m, "d/log", os.O_RDWR|os.O_CREATE|os.O_EXCL)
		must(t, m.SyncDir("d"))
		log := testkit.Bytes(r, 1+r.IntN(3000))
		synced := r.IntN(len(log))
		for at := 0; at < len(log); {
			end := min(len(log), at+1+r.IntN(400))
			if at < synced {
				end = min(end, synced)
			}
			f.Write(log[at:end])
			if at = end; at == synced {
				must(t, f.Sync())
			}
		}
		must(t, f.Close())
		got := read(t, m.Crash(vfs.Torn(r.Uint64())), "d/log")
		if len(got) < synced || len(got) > len(log) || got[:synced] != string(log[:synced]) {
			t.Fatalf("the first %d of %d bytes were synced, %d are left, changed at %d",
				synced, len(log), len(got), differ([]byte(got), log))
		}
		switch {
		case got == string(log):
			whole++
		case len(got) == synced:
			gone++
		case differ([]byte(got), log) < len(got):
			torn++
		}
	}
	if torn < 20 || whole < 20 || gone < 20 {
		t.Errorf("of 300 unsynced ends %d were kept, %d lost and %d torn", whole, gone, torn)
	}
}

func differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// One write of many blocks can be torn at any block, and within one.
func TestCrashTearsBlocks(t *testing.T) {
	m := vfs.NewMem()
	content := bytes.Repeat([]byte{'x'}, 16*512)
	buf := bytes.Clone(content)
	f := open(t, m, "a", os.O_WRONLY|os.O_CREATE)
	_, err := f.Write(buf)
	must(t, errors.Join(err, f.Close()))
	clear(buf) // the writer's own again
	must(t, m.SyncDir("/"))
	r, holes, within, whole := testkit.Rand(t), 0, 0, 0
	for range 200 {
		got := read(t, m.Crash(vfs.Torn(r.Uint64())), "a")
		at := differ([]byte(got), content)
		switch {
		case at == len(content):
			whole++
		case at == len(got):
		case at%512 == 0:
			holes++
		default:
			within++
		}
	}
	if holes < 20 || within < 10 || whole == 0 {
		t.Errorf("of 200 crashes %d tore between blocks, %d within one, %d nowhere",
			holes, within, whole)
	}
}

// Lost halves of renames can not make one folder appear twice or hold itself.
func TestCrashOfMovedFolders(t *testing.T) {
	r := testkit.Rand(t)
	for range 300 {
		m := vfs.NewMem("a/b", "c")
		writeSync(t, m, "a/b/file", "1")
		must(t, m.SyncDir("a/b"))
		must(t, m.Rename("a/b", "b"))
		must(t, m.Rename("a", "b/a"))
		must(t, m.Rename("b/a", "c/a"))
		disk := m.Crash(vfs.Torn(r.Uint64()))
		seen := map[uint64]string{}
		walk(t, disk, "/", func(name string, id vfs.ID) {
			if other, ok := seen[id.Inode]; ok {
				t.Fatalf("%s and %s are one:\n%s", other, name, disk)
			}
			seen[id.Inode] = name
		})
	}
}

func walk(t *testing.T, m *vfs.Mem, dir string, visit func(string, vfs.ID)) {
	t.Helper()
	list, err := m.ReadDir(dir)
	must(t, err)
	for _, e := range list {
		name := path.Join(dir, e.Name())
		fi, err := m.Lstat(name)
		must(t, err)
		visit(name, vfs.IDOf(fi))
		if e.IsDir() {
			walk(t, m, name, visit)
		}
	}
}
