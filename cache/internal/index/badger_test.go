package index_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if *childDir == "" {
		os.RemoveAll(baseDir())
	}
	if code == 0 && engineGoroutines() {
		os.Stderr.WriteString("goroutines of the engine are left\n")
		code = 1
	}
	os.Exit(code)
}

// engineGoroutines reports whether any are left after those that are about to end have had a chance to.
func engineGoroutines() bool {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); runtime.Gosched() {
		buf := make([]byte, 1<<20)
		if !strings.Contains(string(buf[:runtime.Stack(buf, true)]), "dgraph-io") {
			return false
		}
	}
	return true
}

func TestCloseEndsTheEnginesGoroutines(t *testing.T) {
	x := open(t, t.TempDir())
	apply(t, x, set([]byte("a"), "1"))
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if engineGoroutines() {
		t.Error("some are left")
	}
}

// TestKilled opens what a killed process left: the state after some of its Applies, neither more nor less, and the key
// of the last op says after how many.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	killedIndex(t, dir)
	x, err := index.OpenBadger(index.Small(index.Options{Dir: dir}))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	n, err := position(x)
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 || n >= smallBatches*2 {
		t.Errorf("position is %d", n)
	}
	if wrong, err := small.difference(x, n); wrong != 0 || err != nil {
		t.Errorf("%d records are not those after %d batches (%v)", wrong, n, err)
	}
	if logs, _ := filepath.Glob(filepath.Join(dir, "*.mem")); len(logs) != 1 {
		t.Errorf("logs %q, want that of this process only", logs)
	}
}

func TestStates(t *testing.T) {
	base := t.TempDir()
	closedIndex(t, base)
	cases := []struct {
		name, state string
		damaged     bool
	}{
		{"closed", "state.clean", false},
		{"killed", "state.open", false},
		{"died while opening", "state.opening", false},
		{"died while opening twice", "state.retry", true},
		{"damaged", "state.damaged", true},
		{"unknown", "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := copyOf(t, base)
			old := filepath.Join(dir, "state.clean")
			if c.state == "" {
				must(t, os.Remove(old))
			} else {
				must(t, os.Rename(old, filepath.Join(dir, c.state)))
			}
			x, err := index.OpenBadger(index.Options{Dir: dir})
			if errors.Is(err, index.ErrDamaged) != c.damaged || err != nil != c.damaged {
				t.Fatalf("got %v, want damaged %v", err, c.damaged)
			}
			if err != nil {
				return
			}
			must(t, x.Close())
			if states, _ := filepath.Glob(filepath.Join(dir, "state.*")); len(states) != 1 || filepath.Base(states[0]) != "state.clean" {
				t.Errorf("states after Close: %q", states)
			}
		})
	}
}

// TestWhileOpen looks at the state that a process would leave if it died at that moment.
func TestWhileOpen(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		x := open(t, dir)
		if _, err := os.Stat(filepath.Join(dir, "state.open")); err != nil {
			t.Error(err)
		}
		must(t, x.Close())
	}
}

func copyOf(t *testing.T, base string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "index")
	must(t, os.CopyFS(dir, os.DirFS(base)))
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamageSticks finds a block that changed while the index was open.
func TestDamageSticks(t *testing.T) {
	dir := t.TempDir()
	closedIndex(t, dir)
	hooked := make(chan error, 10)
	x, err := index.OpenBadger(index.Options{Dir: dir, OnDamage: func(err error) { hooked <- err }})
	must(t, err)
	defer x.Close()
	tables, _ := filepath.Glob(filepath.Join(dir, "*.sst"))
	for _, path := range tables {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		var b [1]byte
		_, err = f.ReadAt(b[:], 100)
		must(t, err)
		b[0] ^= 1
		_, err = f.WriteAt(b[:], 100)
		must(t, errors.Join(err, f.Close()))
	}
	calls := map[string]error{"verify": x.Verify(t.Context())}
	for _, err := range x.Scan(nil, nil) {
		calls["scan"] = err
	}
	calls["apply"] = x.Apply(small.batch(1))
	_, _, calls["get of an absent key"] = x.Get([]byte("absent"), nil)
	if _, ok, err := x.Get(lastKey, nil); !ok || err != nil {
		t.Errorf("get of a key that is there: %v, %v", ok, err)
	}
	calls["close"] = x.Close()
	_, calls["open"] = index.OpenBadger(index.Options{Dir: dir})
	for name, err := range calls {
		if !errors.Is(err, index.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(hooked) != 1 || !errors.Is(<-hooked, index.ErrDamaged) {
		t.Error("the hook was not called exactly once")
	}
}

func TestVerifyOfASoundIndex(t *testing.T) {
	dir := t.TempDir()
	closedIndex(t, dir)
	must(t, open(t, dir).Verify(t.Context()))
}

// TestFolderRemoved takes the folder away from under an index with records in memory.
func TestFolderRemoved(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	x, err := index.OpenBadger(index.Options{Dir: filepath.Join(root, "index")})
	must(t, err)
	apply(t, x, set([]byte("a"), "1"))
	if err := os.RemoveAll(root); err != nil {
		t.Skip("the system keeps open files: ", err, x.Close())
	}
	if err := x.Close(); !errors.Is(err, index.ErrDamaged) {
		t.Errorf("Close: %v", err)
	}
	if _, err := os.Stat(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Close left something at the removed folder: %v", err)
	}
}

func TestOpenDoesNotBlameTheIndex(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o666))
	_, err := index.OpenBadger(index.Options{Dir: filepath.Join(file, "index")})
	if err == nil || errors.Is(err, index.ErrDamaged) {
		t.Errorf("below a file: %v", err)
	}
}

// TestHarm is a choice of what the long tests do in full.
func TestHarm(t *testing.T) {
	dir := t.TempDir()
	closedIndex(t, dir)
	var chosen []harm
	for i, h := range harms(t, dir) {
		if i%61 == 0 {
			chosen = append(chosen, h)
		}
	}
	counts := survive(t, dir, chosen)
	t.Log(counts)
	if counts["damaged at open"] == 0 || counts["sound"] == 0 {
		t.Error("the harms were no harms, or none was healed")
	}
}
