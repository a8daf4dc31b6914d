package cachetest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/cachetest"
)

var wrongNames = []wrong{
	{"keeps the good part of a refused put", func(m *memory, f *faulty) {
		f.put = keepGoodPart(m, func(there bool) bool { return !there })
	}, []string{"names/refused leaves nothing"}},
	{"replaces by the good part of a refused put", func(m *memory, f *faulty) {
		f.put = keepGoodPart(m, func(there bool) bool { return there })
	}, []string{"names/refused keeps the old"}},
	{"forgets the key of a refused put", func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			err := m.Put(ctx, key, a)
			if _, bad := errors.AsType[*cache.NameError](err); bad {
				return errors.Join(err, m.Delete(ctx, key))
			}
			return err
		}
	}, []string{"names/refused keeps the old"}},
}

func keepGoodPart(m *memory, when func(there bool) bool) putFunc {
	return func(ctx context.Context, key cache.Key, a artifact) error {
		_, there := m.Value(key)
		err := m.Put(ctx, key, a)
		if bad, ok := errors.AsType[*cache.NameError](err); ok && when(there) {
			isBad := func(o output) bool { return o.Name == bad.Name }
			a.Outputs = slices.DeleteFunc(slices.Clone(a.Outputs), isBad)
			if len(a.Outputs) > 0 {
				m.StoreUnchecked(key, a)
			}
		}
		return err
	}
}

// wrongNameTables has a store for each line of the tables of names: one that takes what must be
// refused, or the other way round, or that refuses without saying what.
func wrongNameTables() (list []wrong) {
	for rule, bad := range cachetest.BadNames() {
		list = append(list,
			wrong{rule + " taken", takes(bad), append(alsoOf(bad), rule)},
			wrong{rule + " taken as a link", takesLink(bad), []string{rule}},
		)
	}
	for rule, pair := range cachetest.Clashes() {
		list = append(list, wrong{rule + " taken", takesInOrder(pair), []string{rule}})
	}
	for _, good := range cachetest.GoodNames() {
		name := fmt.Sprintf("%q refused", good)
		list = append(list, wrong{name, refuses(good), []string{"names/accepted/" + good}})
	}
	return append(list,
		wrong{"neighbours refused", refuses("ab"), []string{"names/accepted/side by side"}},
		wrong{"refused without a name", blames(func(e *cache.NameError) error {
			return errors.New(e.Reason)
		}), everyBadName()},
		wrong{"another name blamed", blames(func(e *cache.NameError) error {
			return &cache.NameError{Field: "name", Name: "other", Reason: e.Reason}
		}), everyBadName()},
		wrong{"no field blamed", blames(func(e *cache.NameError) error {
			return &cache.NameError{Name: e.Name, Reason: e.Reason}
		}), everyBadName()},
	)
}

// alsoOf names the rules outside the table that use the same bad name.
func alsoOf(bad string) []string {
	if bad != "../bad" {
		return nil
	}
	return []string{"names/refused leaves nothing", "names/refused keeps the old"}
}

func everyBadName() []string {
	list := []string{"names/refused leaves nothing", "names/refused keeps the old"}
	for rule := range cachetest.BadNames() {
		list = append(list, rule)
	}
	for rule := range cachetest.Clashes() {
		list = append(list, rule)
	}
	return list
}

// takes stores whatever has this name.
func takes(name string) fault {
	return func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			if slices.ContainsFunc(a.Outputs, func(o output) bool { return o.Name == name }) {
				m.StoreUnchecked(key, a)
				return nil
			}
			return m.Put(ctx, key, a)
		}
	}
}

// takesInOrder stores whatever has one name first and the other last.
func takesInOrder(pair [2]string) fault {
	return func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			if n := len(a.Outputs); n > 1 && a.Outputs[0].Name == pair[0] && a.Outputs[n-1].Name == pair[1] {
				m.StoreUnchecked(key, a)
				return nil
			}
			return m.Put(ctx, key, a)
		}
	}
}

// takesLink checks the names of files only.
func takesLink(name string) fault {
	return func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			if len(a.Outputs) == 1 && a.Outputs[0].Name == name && a.Outputs[0].Target != "" {
				m.StoreUnchecked(key, a)
				return nil
			}
			return m.Put(ctx, key, a)
		}
	}
}

func refuses(name string) fault {
	return func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			for _, o := range a.Outputs {
				if o.Name == name {
					return &cache.NameError{Field: "name", Name: name, Reason: "is not liked"}
				}
			}
			return m.Put(ctx, key, a)
		}
	}
}

func blames(change func(*cache.NameError) error) fault {
	return func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			err := m.Put(ctx, key, a)
			if bad, ok := errors.AsType[*cache.NameError](err); ok {
				return change(bad)
			}
			return err
		}
	}
}
