package gobuild

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/cache"

	"github.com/larderbuild/larder/internal/bench/content"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/goprog"
)

func TestEnvironHasOneCache(t *testing.T) {
	t.Setenv("GOCACHE", "/users")
	t.Setenv("GOCACHEPROG", "theirs")
	t.Setenv("GOWORK", "some")
	env := caching{gocache: "/mine", program: "ours serve"}.environ()
	for name, want := range map[string][]string{
		"GOCACHE=": {"GOCACHE=/mine"}, "GOCACHEPROG=": {"GOCACHEPROG=ours serve"}, "GOWORK=": {"GOWORK=off"},
	} {
		var got []string
		for _, v := range env {
			if len(v) > len(name) && v[:len(name)] == name {
				got = append(got, v)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s%q, want %q", name, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for arg, want := range map[string]string{
		"/bin/x": "/bin/x", "/my files/x": "'/my files/x'", "/it's": `"/it's"`,
	} {
		if got := quote(arg); got != want {
			t.Errorf("quote(%s) = %s, want %s", arg, got, want)
		}
	}
}

// tableOf has n outputs of growing size.
func tableOf(t *testing.T, n int) *goprog.Table {
	t.Helper()
	table, err := goprog.LoadTable(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pool := content.NewPool(100 * n)
	for i := range n {
		body := pool.Value(i, 100*i)
		if _, err := table.Put(content.Key(i), sha256.Sum256(body), body); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

func TestFillOwnIsReadByGoCache(t *testing.T) {
	table, dir := tableOf(t, 5), t.TempDir()
	if err := fillOwn(dir, table); err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		body, _, err := c.GetBytes(content.Key(i))
		if err != nil || len(body) != 100*i {
			t.Errorf("action %d: %d bytes, error %v, want %d", i, len(body), err, 100*i)
		}
	}
}

// The programs that this suite builds are driven as the go command drives them: what was put by replay
// is answered by a new process.
func TestReplayFillsAProgram(t *testing.T) {
	table := tableOf(t, 5)
	env := &frame.Env{Dir: t.TempDir()}
	t.Cleanup(func() { frame.RemoveAll(env.Dir) })
	for _, v := range []variant{goCacher(), asCache()} {
		t.Run(v.name, func(t *testing.T) {
			r := v.prepare(t.Context(), newPrograms(env), env.Dir, "")
			if r.err != nil {
				t.Fatal(r.err)
			}
			if err := r.fill(t.Context(), table); err != nil {
				t.Fatal(err)
			}
			if found := filesBelow(t, filepath.Dir(r.gocache)); found < 5 {
				t.Errorf("%d files after 5 puts", found)
			}
		})
	}
}

// asCache is the recorder as a cache under test.
func asCache() variant {
	return variant{name: "recorder", pkg: recordPkg, args: func(gocache, _ string) []string {
		return []string{gocache, gocache}
	}}
}

func filesBelow(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
