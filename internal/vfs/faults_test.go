package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// publish is code under test: it makes d/final hold content, durable once it returns nil.
func publish(fsys vfs.FS, dir, content string) error {
	f, err := fsys.OpenFile(dir+"/tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(content))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fsys.Rename(dir+"/tmp", dir+"/final"); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// crashEverywhere publishes "one", then "two" with a crash in each step, under the hook,
// and returns what is wrong in the trees that the crashes leave.
func crashEverywhere(t *testing.T, hook vfs.Hook) (wrong []string) {
	t.Helper()
	r := testkit.Rand(t)
	dry := vfs.NewFaults(vfs.NewMem("d"), hook)
	must(t, publish(dry, "d", "two"))
	for step := 1; step <= dry.Steps()+1; step++ { // the last one is a crash after the return
		for _, crash := range []vfs.Hook{vfs.CrashAt(step), vfs.TearAt(step)} {
			m := vfs.NewMem("d")
			must(t, publish(m, "d", "one"))
			f := vfs.NewFaults(m, vfs.Chain(crash, hook))
			acknowledged := publish(f, "d", "two") == nil
			op, crashed := f.Crashed()
			if crashed == acknowledged || crashed != (step <= dry.Steps()) {
				t.Fatalf("step %d: crashed: %v, acknowledged: %v", step, crashed, acknowledged)
			}
			for how, disk := range m.Crashes(r, 20) {
				got := read(t, disk, "d/final")
				if got != "two" && (got != "one" || acknowledged) {
					wrong = append(wrong, strings.Join([]string{op.String(), how, got}, "; "))
				}
			}
		}
	}
	return wrong
}

func TestCrashInEachStep(t *testing.T) {
	none := func(vfs.Op) vfs.Fault { return vfs.Fault{} }
	if wrong := crashEverywhere(t, none); wrong != nil {
		t.Error(strings.Join(wrong, "\n"))
	}
	for _, path := range []string{"d/tmp", "d"} {
		lie := vfs.Lie(func(p string) bool { return p == path })
		if wrong := crashEverywhere(t, lie); wrong == nil {
			t.Errorf("the sync of %s can be left out and nothing is noticed", path)
		}
	}
}

func TestFaultsCount(t *testing.T) {
	m := vfs.NewMem("d")
	var ops []vfs.Op
	f := vfs.NewFaults(m, func(op vfs.Op) vfs.Fault {
		ops = append(ops, op)
		return vfs.Fault{}
	})
	must(t, publish(f, "d", "one"))
	must(t, f.Mkdir("e", 0o755))
	g := open(t, f, "d/final", os.O_RDWR)
	g.Read(make([]byte, 2))
	g.ReadAt(make([]byte, 2), 1)
	g.WriteAt([]byte("X"), 2)
	g.Stat()
	must(t, errors.Join(g.Truncate(7), g.Chmod(0o444), g.Close(), f.Remove("d/final")))
	f.ReadDir("d")
	f.Lstat("d")
	f.Free("d")
	f.OpenFile("e/x", os.O_CREATE|os.O_RDWR, 0)

	want := strings.Fields(`open:1 write:2 sync:3 close:0 rename:4 syncdir:5 mkdir:6 open:0 read:0
		read:0 write:7 stat:0 truncate:8 chmod:9 close:0 remove:10 readdir:0 lstat:0 statfs:0 open:11`)
	for i, op := range ops {
		kind, step, _ := strings.Cut(want[i], ":")
		if op.Kind.String() != kind || op.Step != int(parse(t, step)) || op.Call != i+1 {
			t.Errorf("call %d is %v, want %s", i+1, op, want[i])
		}
	}
	if f.Calls() != len(want) || f.Steps() != 11 {
		t.Errorf("%d calls, %d steps", f.Calls(), f.Steps())
	}
	for i, s := range map[int]string{
		1:  "call 2, step 2: write d/tmp (3 bytes at -1)",
		4:  "call 5, step 4: rename d/tmp to d/final",
		9:  "call 10, step 0: read d/final (2 bytes at 1)",
		12: "call 13, step 8: truncate d/final to 7 bytes",
	} {
		if ops[i].String() != s {
			t.Errorf("%q, want %q", ops[i], s)
		}
	}
}

func TestFaultsFail(t *testing.T) {
	m := vfs.NewMem("d")
	f := vfs.NewFaults(m, nil)
	for step := range 5 {
		f.SetHook(vfs.FailAt(f.Steps()+step+1, syscall.EIO))
		if err := publish(f, "d", "x"); !errors.Is(err, syscall.EIO) {
			t.Errorf("step %d: %v", step, err)
		}
		if _, crashed := f.Crashed(); crashed {
			t.Error("a failed step is no crash")
		}
	}
	f.SetHook(nil)
	must(t, publish(f, "d", "x"))

	broken := vfs.Fault{Err: syscall.EIO}
	f.SetHook(vfs.When(func(op vfs.Op) bool { return op.Kind == vfs.OpRename }, broken))
	if _, ok := errors.AsType[*os.LinkError](publish(f, "d", "x")); !ok {
		t.Error("Rename does not fail with a LinkError")
	}
	f.SetHook(func(vfs.Op) vfs.Fault { return broken })
	fails := map[string]error{
		"remove":  f.Remove("d/final"),
		"mkdir":   f.Mkdir("e", 0),
		"syncdir": f.SyncDir("d"),
	}
	_, fails["lstat"] = f.Lstat("d")
	_, fails["readdir"] = f.ReadDir("d")
	_, fails["statfs"] = f.Free("d")
	_, fails["open"] = f.OpenFile("d/final", os.O_RDONLY, 0)
	for name, err := range fails {
		if pe, ok := errors.AsType[*fs.PathError](err); !ok || pe.Op != name || pe.Err != syscall.EIO {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFaultsTearWrite(t *testing.T) {
	for _, tc := range []struct {
		fault vfs.Fault
		n     int
		want  string
	}{
		{vfs.Fault{Err: syscall.ENOSPC, Partial: 3}, 3, "abc"},
		{vfs.Fault{Err: syscall.ENOSPC}, 0, ""},
		{vfs.Fault{Err: syscall.ENOSPC, Partial: 99}, 6, "abcdef"},
		{vfs.Fault{Crash: true, Partial: 2}, 2, "ab"},
		{vfs.Fault{}, 6, "abcdef"},
	} {
		m := vfs.NewMem("d")
		f := vfs.NewFaults(m, nil)
		g := open(t, f, "d/a", os.O_RDWR|os.O_CREATE)
		f.SetHook(func(vfs.Op) vfs.Fault { return tc.fault })
		n, err := g.Write([]byte("abcdef"))
		if n != tc.n || (err == nil) != (tc.fault == vfs.Fault{}) {
			t.Errorf("%+v: %d, %v, want %d", tc.fault, n, err, tc.n)
		}
		g.Close()
		if got := read(t, m, "d/a"); got != tc.want {
			t.Errorf("%+v: the file holds %q, want %q", tc.fault, got, tc.want)
		}
	}
}

func TestTearAt(t *testing.T) {
	for step, want := range map[int]string{1: "", 2: "ab", 3: "abcd"} {
		m := vfs.NewMem()
		g := open(t, m, "a", os.O_RDWR|os.O_CREATE)
		must(t, g.Close())
		f := vfs.NewFaults(m, vfs.TearAt(step))
		if g, err := f.OpenFile("a", os.O_RDWR|os.O_TRUNC, 0); err == nil {
			g.Write([]byte("abcd"))
			g.Sync()
			g.Close()
		}
		if got := read(t, m, "a"); got != want {
			t.Errorf("torn at step %d: %q, want %q", step, got, want)
		}
	}
}

// After a crash every call fails and none reaches the tree, over a real folder as well; the
// leak check of TestMain sees a file that stayed open.
func TestFaultsCrash(t *testing.T) {
	dir := t.TempDir()
	f := vfs.NewFaults(vfs.OS{}, nil)
	must(t, publish(f, dir, "one"))
	g := open(t, f, dir+"/final", os.O_RDWR)
	f.SetHook(vfs.CrashAt(f.Steps() + 2))
	must(t, f.Mkdir(dir+"/sub", 0o755))
	if err := f.Remove(dir + "/sub"); !errors.Is(err, vfs.ErrCrashed) {
		t.Errorf("crashed step: %v", err)
	}
	f.SetHook(nil) // does not undo it
	errs := []error{
		publish(f, dir, "two"), f.Remove(dir + "/final"), f.SyncDir(dir), g.Truncate(0), g.Sync(),
	}
	_, err := g.WriteAt([]byte("X"), 0)
	errs = append(errs, err)
	_, err = g.ReadAt(make([]byte, 1), 0)
	errs = append(errs, err, g.Close())
	for i, err := range errs {
		if !errors.Is(err, vfs.ErrCrashed) {
			t.Errorf("call %d after the crash: %v", i, err)
		}
	}
	if got := read(t, vfs.OS{}, dir+"/final"); got != "one" {
		t.Errorf("final holds %q", got)
	}
	if op, _ := f.Crashed(); op.Kind != vfs.OpRemove || op.Path != dir+"/sub" {
		t.Errorf("crashed at %v", op)
	}
	if _, err := os.Lstat(dir + "/sub"); err != nil {
		t.Error(err)
	}
}

// What a failed sync has lost, a later one that succeeds does not bring back.
func TestFailedSyncLosesBytes(t *testing.T) {
	m := vfs.NewMem("d")
	f := vfs.NewFaults(m, nil)
	g := open(t, f, "d/a", os.O_RDWR|os.O_CREATE)
	g.WriteAt([]byte("synced"), 0)
	must(t, errors.Join(g.Sync(), f.SyncDir("d")))
	g.WriteAt([]byte("lost"), 6)
	f.SetHook(vfs.FailAt(f.Steps()+1, syscall.EIO))
	if err := g.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	g.WriteAt([]byte("later"), 10)
	must(t, errors.Join(g.Sync(), g.Close()))
	for _, tc := range []struct {
		how  string
		disk *vfs.Mem
		want string
	}{
		{"now", m, "syncedlostlater"},
		{"killed", m.Kill(), "syncedlostlater"},
		{"power loss", m.Crash(vfs.Loss{}), "synced\x00\x00\x00\x00later"},
		{"power loss, all kept", m.Crash(vfs.Loss{Bytes: vfs.Kept}), "synced\x00\x00\x00\x00later"},
	} {
		if got := read(t, tc.disk, "d/a"); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.how, got, tc.want)
		}
	}
}

func TestFailedSyncLosesEntries(t *testing.T) {
	m := vfs.NewMem("d")
	f := vfs.NewFaults(m, nil)
	writeSync(t, f, "d/a", "1")
	f.SetHook(vfs.FailAt(f.Steps()+1, syscall.EIO))
	if err := f.SyncDir("d"); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	writeSync(t, f, "d/b", "2")
	must(t, f.SyncDir("d"))
	disk := m.Crash(vfs.Loss{Entries: vfs.Kept})
	if a, b := read(t, disk, "d/a"), read(t, disk, "d/b"); a != "absent" || b != "2" {
		t.Errorf("after the power loss a is %s, b is %s", a, b)
	}
	if a := read(t, m, "d/a"); a != "1" {
		t.Errorf("before it a is %s", a)
	}
}
