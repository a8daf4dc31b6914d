package cachetest

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/larderbuild/larder/cache"
)

// Sizes are those of the size rule.
var Sizes = fileSizes

// RuleNames returns the names of all rules.
func RuleNames() []string {
	var names []string
	for _, r := range rules() {
		names = append(names, r.name)
	}
	return names
}

// BadNames returns the names that must be refused, by the name of the part that says so.
func BadNames() map[string]string {
	m := map[string]string{}
	for _, b := range badNames {
		m["names/refused/"+b.about] = b.name
	}
	return m
}

// Clashes returns the pairs of names that clash, by the name of the part that says so.
func Clashes() map[string][2]string {
	m := map[string][2]string{}
	for _, c := range clashes {
		m["names/clash/"+c.about] = [2]string{c.one, c.other}
	}
	return m
}

// GoodNames returns the names that must be accepted.
func GoodNames() []string { return slices.Clone(goodNames) }

// Value returns the artifact itself that a lease of a Memory reads.
func Value(l Leased) *Artifact { return &l.(*memoryLease).a }

// StoreUnchecked stores a itself, whatever it is.
func (m *Memory) StoreUnchecked(key cache.Key, a Artifact) { _ = m.store(key, a) }

// Value returns what is stored under key.
func (m *Memory) Value(key cache.Key) (Artifact, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.content[key]
	return a, ok
}

// Keys returns all keys, in order.
func (m *Memory) Keys() []cache.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Keys(m.content), func(a, b cache.Key) int {
		return slices.Compare(a[:], b[:])
	})
}

// Diff says how two artifacts differ.
func Diff(want, got Artifact) string { return want.diff(got) }

// Result is what became of every rule and part of a run.
type Result struct {
	Failed  map[string]string // name to first message
	Skipped map[string]string
}

// Observe runs the rules whose names match over stores from open and reports what Run would.
func Observe(t testing.TB, open func(testing.TB) Store, o *Options,
	match func(string) bool) Result {
	r := Result{map[string]string{}, map[string]string{}}
	top := &recorder{TB: t, result: &r}
	for _, rule := range rules() {
		if match(rule.name) {
			runRule(top.run, rule, open, o.withDefaults())
		}
	}
	return r
}

// recorder is a testing.TB whose failure is a value. Its clean-ups run when its function has ended.
type recorder struct {
	testing.TB // temporary folders and the context are the real test's
	parent     *recorder
	name       string
	result     *Result

	mu       sync.Mutex
	failed   bool
	message  string
	skipped  bool
	cleanups []func()
}

// run runs a part on a goroutine of its own, which FailNow may end.
func (r *recorder) run(name string, f func(testing.TB, runner)) {
	part := &recorder{TB: r.TB, parent: r, name: name, result: r.result}
	if r.name != "" {
		part.name = r.name + "/" + name
	}
	part.guard(func() { f(part, part.run) })
	for len(part.cleanups) > 0 {
		last := len(part.cleanups) - 1
		cleanup := part.cleanups[last]
		part.cleanups = part.cleanups[:last]
		part.guard(cleanup)
	}
	part.mu.Lock()
	defer part.mu.Unlock()
	if part.message != "" {
		r.result.Failed[part.name] = part.message
	}
}

func (r *recorder) guard(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if v := recover(); v != nil {
				r.Errorf("panic: %v", v)
			}
		}()
		f()
	}()
	<-done
}

func (r *recorder) note(message string) {
	for p := r; p != nil; p = p.parent {
		p.mu.Lock()
		p.failed = true
		p.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.message == "" {
		r.message = message
	}
}

func (r *recorder) skip(message string) {
	r.mu.Lock()
	r.skipped = true
	r.mu.Unlock()
	r.result.Skipped[r.name] = message
	runtime.Goexit()
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) Helper()                   {}
func (r *recorder) Name() string              { return r.name }
func (r *recorder) Log(...any)                {}
func (r *recorder) Logf(string, ...any)       {}
func (r *recorder) Fail()                     { r.note("failed") }
func (r *recorder) FailNow()                  { r.note("failed"); runtime.Goexit() }
func (r *recorder) Error(args ...any)         { r.note(fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, a ...any) { r.note(fmt.Sprintf(f, a...)) }
func (r *recorder) Fatal(args ...any)         { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(f string, a ...any) { r.Errorf(f, a...); runtime.Goexit() }
func (r *recorder) Skip(args ...any)          { r.skip(fmt.Sprint(args...)) }
func (r *recorder) Skipf(f string, a ...any)  { r.skip(fmt.Sprintf(f, a...)) }
func (r *recorder) SkipNow()                  { r.skip("skipped") }
func (r *recorder) Skipped() bool             { return r.skipped }
