package index_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/vfs"
)

// engines runs test over every engine. again closes the index and opens it once more, and is nil for an engine that
// keeps nothing.
func engines(t *testing.T, test func(t *testing.T, x index.Index, again func() index.Index)) {
	t.Run("mem", func(t *testing.T) {
		test(t, index.NewMem(), nil)
	})
	t.Run("lsm", func(t *testing.T) {
		dir := t.TempDir()
		x := open(t, dir)
		test(t, x, func() index.Index {
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			x = open(t, dir)
			return x
		})
	})
}

func open(t *testing.T, dir string) *index.LSM {
	t.Helper()
	x, err := index.Open(vfs.OS{}, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func key(kind byte, n int) []byte {
	k := make([]byte, 33)
	k[0] = kind
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	r.Read(k[1:])
	return k
}

func set(k []byte, value string) index.Op { return index.Op{Key: k, Value: []byte(value)} }

func apply(t testing.TB, x index.Index, ops ...index.Op) {
	t.Helper()
	if err := errors.Join(x.Apply(ops[:len(ops)-1], ops[len(ops)-1]), x.Merge(false)); err != nil {
		t.Fatal(err)
	}
}

// TestLastMerge has merges that are nearly done ended before a close, and no others.
func TestLastMerge(t *testing.T) {
	for _, c := range []struct{ records, tables int }{{20, 1}, {40, 4}} {
		x := openSmall(t, vfs.NewMem(folder))
		for i := range 3 {
			var ops []index.Op
			for j := range c.records {
				ops = append(ops, set(key('k', 1000*i+j), "value"))
			}
			apply(t, x, ops...)
		}
		if err := x.Apply(nil, set([]byte("last"), "")); err != nil {
			t.Fatal(err)
		}
		if err := x.Merge(true); err != nil {
			t.Fatal(err)
		}
		if n := x.Tables(); n != c.tables {
			t.Errorf("%d records each: %d tables, want %d", c.records, n, c.tables)
		}
		want(t, x, key('k', 2000), "value", true)
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestMergesEndOverShortLives closes after each change, which gives a large merge up: it is done all the same before there
// are too many tables.
func TestMergesEndOverShortLives(t *testing.T) {
	mem, n, most := vfs.NewMem("/d"), 0, 0
	for range 200 {
		x := openSmall(t, mem)
		var ops []index.Op
		for range 30 {
			ops = append(ops, set(binaryKey(n), strings.Repeat("x", 40)))
			n++
		}
		if err := errors.Join(x.Apply(ops, set([]byte("last"), "")), x.Merge(true)); err != nil {
			t.Fatal(err)
		}
		most = max(most, x.Tables())
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if most > index.ManyTables {
		t.Errorf("there were %d tables", most)
	}
	x := openSmall(t, mem)
	for i := range n {
		want(t, x, binaryKey(i), strings.Repeat("x", 40), true)
	}
}

func want(t *testing.T, x index.Index, k []byte, value string, present bool) {
	t.Helper()
	v, ok, err := x.Get(k, nil)
	if err != nil || ok != present || string(v) != value {
		t.Errorf("Get(%.8q) = %q, %v, %v; want %q, %v", k, v, ok, err, value, present)
	}
}

func scan(t *testing.T, x index.Index, prefix, start string) []string {
	t.Helper()
	var got []string
	for op, err := range x.Scan([]byte(prefix), []byte(start)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(op.Key)+"="+string(op.Value))
	}
	return got
}

func TestGetGivesBackWhatApplySet(t *testing.T) {
	engines(t, func(t *testing.T, x index.Index, _ func() index.Index) {
		apply(t, x, set([]byte("a"), "1"), set([]byte("b"), ""), set([]byte("last"), "9"))
		want(t, x, []byte("a"), "1", true)
		want(t, x, []byte("b"), "", true)
		want(t, x, []byte("last"), "9", true)
		want(t, x, []byte("c"), "", false)
	})
}

func TestGetAppendsToItsArgument(t *testing.T) {
	engines(t, func(t *testing.T, x index.Index, _ func() index.Index) {
		apply(t, x, set([]byte("a"), "1"))
		v, ok, err := x.Get([]byte("a"), []byte("x"))
		if string(v) != "x1" || !ok || err != nil {
			t.Errorf("got %q, %v, %v", v, ok, err)
		}
	})
}

func TestLaterOpsOfOneApplyWin(t *testing.T) {
	engines(t, func(t *testing.T, x index.Index, _ func() index.Index) {
		apply(t, x, set([]byte("a"), "1"), set([]byte("a"), "2"), set([]byte("b"), "1"), index.Op{Key: []byte("b")},
			index.Op{Key: []byte("c")}, set([]byte("c"), "3"))
		want(t, x, []byte("a"), "2", true)
		want(t, x, []byte("b"), "", false)
		want(t, x, []byte("c"), "3", true)
	})
}

func TestApplyDoesNotKeepTheSlices(t *testing.T) {
	engines(t, func(t *testing.T, x index.Index, _ func() index.Index) {
		k, v := []byte("key"), []byte("value")
		apply(t, x, index.Op{Key: k, Value: v}, set([]byte("last"), "1"))
		copy(k, "xxx")
		copy(v, "xxxxx")
		want(t, x, []byte("key"), "value", true)
	})
}

func TestRecordsOfTheLargestSize(t *testing.T) {
	engines(t, func(t *testing.T, x index.Index, _ func() index.Index) {
		k, v := bytes.Repeat([]byte{0xff}, index.MaxKey), string(bytes.Repeat([]byte{0}, index.MaxValue))
		apply(t, x, set(k, v))
		want(t, x, k, v, true)
	})
}

func TestApplyRefusesWhatIsBeyondTheLimits(t *testing.T) {
	engines(t, func(t *testing.T, x index.Index, _ func() index.Index) {
		bad := map[string]index.Op{
			"no key":     set(nil, "1"),
			"long key":   set(make([]byte, index.MaxKey+1), "1"),
			"long value": set([]byte("k"), string(make([]byte, index.MaxValue+1))),
		}
		for name, op := range bad {
			if err := x.Apply([]index.Op{set([]byte("a"), "1"), op}, set([]byte("last"), "1")); err == nil {
				t.Errorf("%s: taken", name)
			}
			if err := x.Apply(nil, op); err == nil {
				t.Errorf("%s as last: taken", name)
			}
		}
		want(t, x, []byte("a"), "", false)
	})
}

func TestScan(t *testing.T) {
	engines(t, func(t *testing.T, x index.Index, _ func() index.Index) {
		apply(t, x, set([]byte("b2"), "2"), set([]byte("a1"), "1"), set([]byte("b1"), "1"), set([]byte("b3"), "3"),
			set([]byte("c"), "1"), set([]byte("b9"), "9"))
		apply(t, x, index.Op{Key: []byte("b2")})
		cases := []struct {
			name, prefix, start string
			want                []string
		}{
			{"all", "", "", []string{"a1=1", "b1=1", "b3=3", "b9=9", "c=1"}},
			{"prefix", "b", "", []string{"b1=1", "b3=3", "b9=9"}},
			{"from a key", "b", "b3", []string{"b3=3", "b9=9"}},
			{"from between keys", "b", "b2", []string{"b3=3", "b9=9"}},
			{"from before the prefix", "b", "a", []string{"b1=1", "b3=3", "b9=9"}},
			{"from after the prefix", "b", "c", nil},
			{"absent prefix", "d", "", nil},
		}
		for _, c := range cases {
			if got := scan(t, x, c.prefix, c.start); !slices.Equal(got, c.want) {
				t.Errorf("%s: got %q, want %q", c.name, got, c.want)
			}
		}
	})
}

func TestTheBodyOfAScanMayCallGetAndApply(t *testing.T) {
	engines(t, func(t *testing.T, x index.Index, _ func() index.Index) {
		for i := range 100 {
			apply(t, x, set(key('a', i), "old"))
		}
		n := 0
		for op, err := range x.Scan([]byte("a"), nil) {
			if err != nil {
				t.Fatal(err)
			}
			k := bytes.Clone(op.Key)
			want(t, x, k, "old", true)
			apply(t, x, set(k, "new"))
			want(t, x, k, "new", true)
			n++
		}
		if n != 100 {
			t.Errorf("saw %d of 100 records", n)
		}
	})
}

func TestAScanMayBeLeftEarly(t *testing.T) {
	engines(t, func(t *testing.T, x index.Index, _ func() index.Index) {
		apply(t, x, set([]byte("a"), "1"), set([]byte("b"), "2"))
		for range x.Scan(nil, nil) {
			break
		}
		want(t, x, []byte("a"), "1", true)
	})
}

// TestApplyOfManyOps makes a table of several levels.
func TestApplyOfManyOps(t *testing.T) {
	engines(t, func(t *testing.T, x index.Index, again func() index.Index) {
		const n = 40_000
		ops := make([]index.Op, n)
		for i := range ops {
			ops[i] = set(binaryKey(i), fmt.Sprint(i))
		}
		rand.Shuffle(n, func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
		if again == nil {
			ops = ops[:2000] // sorted insertion is slow
		}
		if err := x.Apply(ops, set([]byte("last"), "1")); err != nil {
			t.Fatal(err)
		}
		if again != nil {
			x = again()
		}
		for _, op := range ops {
			want(t, x, op.Key, string(op.Value), true)
		}
		want(t, x, []byte("last"), "1", true)
	})
}

func binaryKey(i int) []byte { return fmt.Appendf(nil, "k%032d", i) }

// TestAgainstAMap compares each engine with a plain map, over several opens.
func TestAgainstAMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	engines(t, func(t *testing.T, x index.Index, again func() index.Index) {
		r := rand.New(rand.NewPCG(seed, 0))
		model := map[string]string{}
		for range 4 {
			for range 50 {
				var ops []index.Op
				for range 1 + r.IntN(40) {
					k, v := key('k', r.IntN(500)), fmt.Sprint(r.Uint64())
					if r.IntN(3) == 0 {
						ops = append(ops, index.Op{Key: k})
						delete(model, string(k))
						continue
					}
					ops = append(ops, set(k, v))
					model[string(k)] = v
				}
				apply(t, x, ops...)
			}
			if again != nil {
				x = again()
			}
			compare(t, x, model)
		}
	})
}

func compare(t *testing.T, x index.Index, model map[string]string) {
	t.Helper()
	for i := range 500 {
		v, ok := model[string(key('k', i))]
		want(t, x, key('k', i), v, ok)
	}
	var pairs []string
	for k, v := range model {
		pairs = append(pairs, k+"="+v)
	}
	slices.Sort(pairs)
	if got := scan(t, x, "", ""); !slices.Equal(got, pairs) {
		t.Errorf("scan gave %d records, the model has %d, or they differ", len(got), len(pairs))
	}
}

// TestOpsBecomeVisibleInOrder reads, while another goroutine applies, a pair of keys of which the first is
// always set before the second.
func TestOpsBecomeVisibleInOrder(t *testing.T) {
	engines(t, func(t *testing.T, x index.Index, _ func() index.Index) {
		const rounds = 2000
		var group sync.WaitGroup
		group.Go(func() {
			for i := range rounds {
				v := fmt.Sprintf("%06d", i)
				if err := x.Apply([]index.Op{set([]byte("first"), v)}, set([]byte("second"), v)); err != nil {
					t.Error(err)
				}
			}
		})
		group.Go(func() {
			for range rounds {
				second, _, err2 := x.Get([]byte("second"), nil)
				first, _, err1 := x.Get([]byte("first"), nil)
				if err1 != nil || err2 != nil || bytes.Compare(first, second) < 0 {
					t.Errorf("first %q, then second %q (%v, %v)", first, second, err1, err2)
					return
				}
			}
		})
		group.Wait()
	})
}

func TestAfterClose(t *testing.T) {
	engines(t, func(t *testing.T, x index.Index, _ func() index.Index) {
		apply(t, x, set([]byte("a"), "1"))
		for range 2 {
			if err := x.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		_, _, err := x.Get([]byte("a"), nil)
		calls := map[string]error{"get": err, "apply": x.Apply(nil, set([]byte("a"), "2")), "sync": x.Sync(), "merge": x.Merge(false)}
		for _, err := range x.Scan(nil, nil) {
			calls["scan"] = err
		}
		for _, name := range []string{"get", "apply", "sync", "merge", "scan"} {
			if !errors.Is(calls[name], index.ErrClosed) {
				t.Errorf("%s: %v, want ErrClosed", name, calls[name])
			}
		}
	})
}

func TestCloneIsIndependent(t *testing.T) {
	m := index.NewMem()
	apply(t, m, set([]byte("a"), "1"))
	c := m.Clone()
	apply(t, m, set([]byte("a"), "2"), set([]byte("b"), "2"))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, c, []byte("a"), "1", true)
	want(t, c, []byte("b"), "", false)
	want(t, m.Clone(), []byte("a"), "2", true)
	if n := c.Len(); n != 1 {
		t.Errorf("Len is %d, want 1", n)
	}
}
