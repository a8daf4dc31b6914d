package cachetest_test

import (
	"context"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/cachetest"
)

// wrong is a store with one fault, and the rules or parts of rules that must see it. All rules
// of their groups run (a group is what stands before the slash), and no others of them may fail.
type wrong struct {
	name  string
	spoil func(m *memory, f *faulty)
	fails []string
}

// Short names for the tables.
type (
	memory   = cachetest.Memory
	artifact = cachetest.Artifact
	output   = cachetest.Output
	stream   = cachetest.Stream
	leased   = cachetest.Leased
)

// fault replaces verbs of f, which stands before m.
type fault = func(m *memory, f *faulty)

// wrongStores are all tables of this package's tests.
func wrongStores() []wrong {
	return slices.Concat(wrongPuts, wrongSizes(), wrongNames, wrongNameTables(), wrongReplaces,
		wrongDeletes, wrongShared, wrongStreams, wrongKeys, wrongLists, wrongCloses, wrongLeases,
		wrongBuilds,
		wrongDeliveries, wrongLinks(), wrongReopens)
}

func TestWrongStores(t *testing.T) {
	for _, w := range wrongStores() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			w.judge(t, w.run(t, 0))
		})
	}
}

// TestWrongHangs runs all its stores at a time: most of their time they wait.
func TestWrongHangs(t *testing.T) {
	results := make([]cachetest.Result, len(wrongHangs))
	var group sync.WaitGroup
	for i, w := range wrongHangs {
		group.Go(func() { results[i] = w.run(t, 3*time.Second) })
	}
	group.Wait()
	for i, w := range wrongHangs {
		t.Run(w.name, func(t *testing.T) { w.judge(t, results[i]) })
	}
}

func (w *wrong) run(t *testing.T, wait time.Duration) cachetest.Result {
	open := func(testing.TB) cachetest.Store { return newFaulty(cachetest.NewMemory(), w.spoil) }
	o := &cachetest.Options{Seed: 1, Steps: 400, Wait: wait}
	return cachetest.Observe(t, open, o, w.concerns)
}

func (w *wrong) judge(t *testing.T, got cachetest.Result) {
	for rule, why := range got.Skipped {
		if !strings.Contains(why, "here; the rule was not run") { // the system, not the store
			t.Errorf("rule %q is skipped: %s", rule, why)
		}
	}
	unseen := slices.Clone(w.fails)
	for _, rule := range slices.Sorted(maps.Keys(got.Failed)) {
		meant := func(entry string) bool { return rule == entry || strings.HasPrefix(rule, entry+"/") }
		if !slices.ContainsFunc(w.fails, meant) {
			t.Errorf("rule %q fails too: %s", rule, got.Failed[rule])
		}
		unseen = slices.DeleteFunc(unseen, meant)
	}
	for _, rule := range unseen {
		parts := strings.SplitN(rule, "/", 3)
		if why, skipped := got.Skipped[parts[0]+"/"+parts[1]]; skipped {
			t.Skip(why)
		}
		t.Errorf("rule %q does not see it", rule)
	}
}

// concerns reports rules in the groups of those that must fail.
func (w *wrong) concerns(rule string) bool {
	return slices.ContainsFunc(w.fails, func(f string) bool { return group(f) == group(rule) })
}

func group(rule string) string {
	name, _, _ := strings.Cut(rule, "/")
	return name
}

// TestEveryRuleFails demands a wrong store for each rule.
func TestEveryRuleFails(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range slices.Concat(wrongStores(), wrongHangs) {
		for _, rule := range w.fails {
			seen[rule] = true
			if parts := strings.SplitN(rule, "/", 3); len(parts) == 3 {
				seen[parts[0]+"/"+parts[1]] = true // a part stands for its rule
			}
		}
	}
	for _, rule := range cachetest.RuleNames() {
		if !seen[rule] {
			t.Errorf("no wrong store fails rule %q", rule)
		}
	}
}

// faulty is a Memory with some of its verbs replaced. Put, get, delete and what leases do are
// replaced by functions that run one at a time, so that a fault may keep notes; free lifts that.
type faulty struct {
	*cachetest.Memory
	spoil   fault
	mu      sync.Mutex
	free    bool
	put     putFunc
	streams func(context.Context, cache.Key, []stream) error
	get     func(context.Context, cache.Key) (leased, error)
	del     func(context.Context, cache.Key) error
	all     func(context.Context) iter.Seq2[cache.Key, error]
	close   func(context.Context) error
	held    func() int
	do      func(context.Context, cache.Key, buildFunc) (leased, error)
	reopen  func(context.Context) (cachetest.Store, error)
	// What a lease does. The artifact is the reader's own.
	read    func(cache.Key, *artifact) error
	release func(l leased, calls int)
	deliver func(delivery) error
}

func newFaulty(m *memory, spoil fault) *faulty {
	f := &faulty{Memory: m, spoil: spoil}
	spoil(m, f)
	return f
}

// alone takes the turn of a replaced verb.
func (f *faulty) alone() (done func()) {
	if f.free {
		return func() {}
	}
	f.mu.Lock()
	return f.mu.Unlock
}

type putFunc = func(context.Context, cache.Key, artifact) error

type buildFunc = func(context.Context) (artifact, error)

// delivery is what a wrong delivery starts from.
type delivery struct {
	ctx   context.Context
	root  *os.Root
	key   cache.Key
	a     artifact
	right func(context.Context, *os.Root) error
}

func (f *faulty) Put(ctx context.Context, key cache.Key, a artifact) error {
	if f.put != nil {
		defer f.alone()()
		return f.put(ctx, key, a)
	}
	return f.Memory.Put(ctx, key, a)
}

func (f *faulty) PutStreams(ctx context.Context, key cache.Key, s ...stream) error {
	if f.streams != nil {
		return f.streams(ctx, key, s)
	}
	return f.Memory.PutStreams(ctx, key, s...)
}

func (f *faulty) Get(ctx context.Context, key cache.Key) (leased, error) {
	get := f.Memory.Get
	if f.get != nil {
		defer f.alone()()
		get = f.get
	}
	return f.lease(key)(get(ctx, key))
}

func (f *faulty) Do(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
	do := f.Memory.Do
	if f.do != nil {
		do = f.do
	}
	return f.lease(key)(do(ctx, key, build))
}

func (f *faulty) lease(key cache.Key) func(leased, error) (leased, error) {
	return func(l leased, err error) (leased, error) {
		if l == nil {
			return nil, err
		}
		return &faultyLease{Leased: l, f: f, key: key}, err
	}
}

func (f *faulty) Delete(ctx context.Context, key cache.Key) error {
	if f.del != nil {
		defer f.alone()()
		return f.del(ctx, key)
	}
	return f.Memory.Delete(ctx, key)
}

func (f *faulty) All(ctx context.Context) iter.Seq2[cache.Key, error] {
	if f.all != nil {
		return f.all(ctx)
	}
	return f.Memory.All(ctx)
}

func (f *faulty) Close(ctx context.Context) error {
	if f.close != nil {
		return f.close(ctx)
	}
	return f.Memory.Close(ctx)
}

func (f *faulty) Held() int {
	if f.held != nil {
		return f.held()
	}
	return f.Memory.Held()
}

func (f *faulty) Reopen(ctx context.Context) (cachetest.Store, error) {
	if f.reopen != nil {
		return f.reopen(ctx)
	}
	s, err := f.Memory.Reopen(ctx)
	if err != nil {
		return nil, err
	}
	return newFaulty(s.(*memory), f.spoil), nil
}

type faultyLease struct {
	cachetest.Leased
	f        *faulty
	key      cache.Key
	releases int
}

func (l *faultyLease) Read() (artifact, error) {
	a, err := l.Leased.Read()
	if err == nil && l.f.read != nil {
		defer l.f.alone()()
		err = l.f.read(l.key, &a)
	}
	return a, err
}

func (l *faultyLease) Release() {
	l.releases++ // rules release from one goroutine
	if l.f.release != nil {
		defer l.f.alone()()
		l.f.release(l.Leased, l.releases)
	}
	l.Leased.Release()
}

func (l *faultyLease) Deliver(ctx context.Context, root *os.Root) error {
	right := l.Leased.(cachetest.Deliverer).Deliver
	if l.f.deliver == nil {
		return right(ctx, root)
	}
	a, err := l.Leased.Read()
	if err != nil {
		return err
	}
	return l.f.deliver(delivery{ctx, root, l.key, a, right})
}

// reads spoils what leases read.
func reads(f func(*artifact)) fault {
	return func(_ *memory, s *faulty) {
		s.read = func(_ cache.Key, a *artifact) error {
			f(a)
			return nil
		}
	}
}

// readsOutputs spoils every output that leases read.
func readsOutputs(f func(*output)) fault {
	return reads(func(a *artifact) {
		for i := range a.Outputs {
			f(&a.Outputs[i])
		}
	})
}

// puts spoils what is stored.
func puts(f func(m *memory, key cache.Key, a *artifact)) fault {
	return func(m *memory, s *faulty) {
		s.put = func(ctx context.Context, key cache.Key, a artifact) error {
			a.Outputs = slices.Clone(a.Outputs)
			f(m, key, &a)
			return m.Put(ctx, key, a)
		}
	}
}
