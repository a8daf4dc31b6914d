package index_test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
)

var childDir = flag.String("child", "", "run as the child of a test, in this folder")

// small is the history of the damage tests: enough for several tables on two levels.
var small = history{keys: 3000, ops: 100}

const smallBatches = 120

// child runs a test of this binary that is a child's main in dir, and returns what it printed.
func child(t *testing.T, test, dir string) (string, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-child="+dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// TestChildKilled fills an index and ends its process at once.
func TestChildKilled(t *testing.T) {
	if *childDir == "" {
		t.Skip("child only")
	}
	x, err := index.OpenBadger(index.Small(index.Options{Dir: *childDir}))
	if err != nil {
		t.Fatal(err)
	}
	if err := small.play(x, 1, smallBatches); err != nil {
		t.Fatal(err)
	}
	for n := smallBatches + 1; x.Compactions() == 0; n++ { // until tables have been merged
		if err := small.play(x, n, n); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	self.Kill()
	select {}
}

// closedIndex puts an index into dir that has tables on two levels and is closed.
func closedIndex(t *testing.T, dir string) {
	t.Helper()
	base, err := closedBase()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
		t.Fatal(err)
	}
}

func baseDir() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("larder-index-%d", os.Getpid()))
}

// closedBase is made once, as it has to wait for the engine. TestMain removes it.
var closedBase = sync.OnceValues(func() (string, error) {
	dir := baseDir()
	x, err := index.OpenBadger(index.Small(index.Options{Dir: dir}))
	if err != nil {
		return "", err
	}
	n := 0
	for n < smallBatches || x.Compactions() == 0 {
		n++
		if err := small.play(x, n, n); err != nil {
			return "", err
		}
	}
	for { // whatever the engine has merged into one table at a close, what comes then has another
		// From 8 tables on the first level, the engine merges as soon as it is open, under the hands of a test.
		for least := n + 60; n < least || x.FirstLevel() > 4; n++ {
			if err := small.play(x, n+1, n+1); err != nil {
				return "", err
			}
		}
		if err := x.Close(); err != nil {
			return "", err
		}
		if tables, err := filepath.Glob(filepath.Join(dir, "*.sst")); err != nil || len(tables) > 1 {
			return dir, err
		}
		if x, err = index.OpenBadger(index.Small(index.Options{Dir: dir})); err != nil {
			return "", err
		}
	}
})

func killedIndex(t *testing.T, dir string) {
	t.Helper()
	out, err := child(t, "TestChildKilled", dir)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || strings.Contains(out, "FAIL") {
		t.Fatalf("child ended with %v: %s", err, out)
	}
}

// harm is one way to damage a folder.
type harm struct {
	name  string
	apply func(dir string) error
	bless bool // tables look unchanged afterwards
}

// patches are what is done to a file at an offset.
var patches = map[string]func(b []byte){
	"bit":    func(b []byte) { b[0] ^= 4 },
	"byte":   func(b []byte) { b[0] ^= 0xff },
	"zeros":  func(b []byte) { clear(b[:min(512, len(b))]) },
	"random": func(b []byte) { rand.NewChaCha8([32]byte{7}).Read(b[:min(4096, len(b))]) },
}

func rewrite(name string, change func([]byte) []byte) func(string) error {
	return func(dir string) error {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, change(b), 0o666)
	}
}

// offsets of a file that are worth harming: fields at its start and end, and some in between.
func offsets(size int) []int {
	var all []int
	for _, o := range []int{0, 1, 4, 5, 7, 8, 12, 16, 20, 24, 40, 100, size / 4, size / 2, size * 3 / 4,
		size - 200, size - 100, size - 40, size - 20, size - 16, size - 13, size - 12, size - 9, size - 8, size - 5, size - 4, size - 1} {
		if o >= 0 && o < size {
			all = append(all, o)
		}
	}
	return all
}

// harms lists everything to do to the files of dir.
func harms(t *testing.T, dir string) []harm {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []harm
	for i, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fileHarms(e.Name(), int(info.Size()))...)
		next := entries[(i+1)%len(entries)].Name()
		all = append(all, harm{name: e.Name() + " swapped with " + next, apply: func(dir string) error {
			a, b, tmp := filepath.Join(dir, e.Name()), filepath.Join(dir, next), filepath.Join(dir, "tmp")
			return errors.Join(os.Rename(a, tmp), os.Rename(b, a), os.Rename(tmp, b))
		}})
	}
	return all
}

func fileHarms(name string, size int) []harm {
	var all []harm
	add := func(what string, apply func(string) error) {
		all = append(all, harm{name: name + " " + what, apply: apply})
	}
	for _, o := range offsets(size) {
		for patch, f := range patches {
			add(fmt.Sprintf("%s at %d of %d", patch, o, size), rewrite(name, func(b []byte) []byte { f(b[o:]); return b }))
		}
	}
	for _, n := range []int{0, 1, 8, 19, size / 2, size - 1} {
		if n >= 0 && n < size {
			add(fmt.Sprintf("cut to %d", n), rewrite(name, func(b []byte) []byte { return b[:n] }))
		}
	}
	add("longer by a byte", rewrite(name, func(b []byte) []byte { return append(b, 1) }))
	add("longer by a page", rewrite(name, func(b []byte) []byte { return append(b, make([]byte, 4096)...) }))
	add("deleted", func(dir string) error { return os.Remove(filepath.Join(dir, name)) })
	add("a folder", func(dir string) error {
		path := filepath.Join(dir, name)
		return errors.Join(os.Remove(path), os.Mkdir(path, 0o777))
	})
	return all
}

// TestChildSurvives opens the index of each folder below the given one and uses it, several at once, and prints a
// line when it begins one and when it ends.
func TestChildSurvives(t *testing.T) {
	if *childDir == "" {
		t.Skip("child only")
	}
	entries, err := os.ReadDir(*childDir)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	turns := make(chan bool, 8)
	for _, e := range entries {
		turns <- true
		group.Go(func() {
			fmt.Printf("\nbegin %s\n", e.Name())
			fmt.Printf("\nend %s %s\n", e.Name(), use(filepath.Join(*childDir, e.Name())))
			<-turns
		})
	}
	group.Wait()
}

// use opens the index, compares it with its history, applies 20,000 more ops and more until compactions have run, and compares again.
// It returns what happened: the end of a sound index, or where the damage was found, or what went wrong.
func use(dir string) string {
	hooked := make(chan error, 10)
	o := index.Small(index.Options{Dir: dir, OnDamage: func(err error) { hooked <- err }})
	x, err := index.OpenBadger(o)
	if err != nil {
		return verdict("open", err, nil)
	}
	where, err := work(x)
	if closed := x.Close(); err == nil || errors.Is(closed, index.ErrDamaged) && !errors.Is(err, index.ErrDamaged) {
		where, err = where+", close", closed
	}
	if err != nil {
		return verdict(where, err, hooked)
	}
	if x, err = index.OpenBadger(o); err != nil {
		return verdict("open again", err, nil)
	}
	defer x.Close()
	n, err := position(x)
	if err == nil {
		err = same(x, n)
	}
	return verdict("compare again", err, hooked)
}

func verdict(where string, err error, hooked chan error) string {
	switch {
	case err == nil:
		return "sound"
	case !errors.Is(err, index.ErrDamaged):
		return "WRONG at " + where + ": " + err.Error()
	case hooked != nil && len(hooked) == 0:
		return "WRONG: no hook called at " + where + ": " + err.Error()
	}
	return "damaged at " + where + ": " + err.Error()
}

func same(x *index.Badger, n int) error {
	wrong, err := small.difference(x, n)
	if err == nil && wrong > 0 {
		err = fmt.Errorf("%d records are not those after %d batches", wrong, n)
	}
	return err
}

func work(x *index.Badger) (string, error) {
	n, err := position(x)
	if err != nil {
		return "get", err
	}
	if err := same(x, n); err != nil {
		return "compare", err
	}
	for more := 0; more < 200 || x.Compactions() < 2; more++ {
		n++
		if err := small.play(x, n, n); err != nil {
			return "apply", err
		}
	}
	return "compare after", same(x, n)
}

// survive applies each harm to a copy of base and lets children use the copies.
func survive(t *testing.T, base string, all []harm) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for len(all) > 0 {
		dir := t.TempDir()
		n := min(40, len(all))
		for i, h := range all[:n] {
			to := filepath.Join(dir, fmt.Sprint(i))
			if err := os.CopyFS(to, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			if err := h.apply(to); err != nil {
				t.Fatalf("%s: %v", h.name, err)
			}
			if h.bless {
				if err := index.Bless(to, false); err != nil {
					t.Fatalf("%s: %v", h.name, err)
				}
			}
		}
		judge(t, all[:n], dir, counts)
		os.RemoveAll(dir)
		all = all[n:]
	}
	return counts
}

func judge(t *testing.T, all []harm, dir string, counts map[string]int) {
	t.Helper()
	out, err := child(t, "TestChildSurvives", dir)
	begun, ended := map[int]bool{}, 0
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		var i int
		if _, err := fmt.Sscanf(s.Text(), "begin %d", &i); err == nil {
			begun[i] = true
		}
		if _, err := fmt.Sscanf(s.Text(), "end %d", &i); err != nil {
			continue
		}
		delete(begun, i)
		ended++
		_, text, _ := strings.Cut(strings.TrimPrefix(s.Text(), "end "), " ")
		if strings.HasPrefix(text, "WRONG") {
			t.Errorf("%s: %s", all[i].name, text)
		}
		where, _, _ := strings.Cut(text, ":")
		counts[where]++
		if testing.Verbose() {
			t.Logf("%s: %s", all[i].name, text)
		}
	}
	if err == nil && ended == len(all) {
		return
	}
	for i := range begun {
		t.Errorf("the child died, maybe of: %s", all[i].name)
	}
	t.Errorf("child ended with %v after %d of %d folders: %.4000s", err, ended, len(all), out)
}
