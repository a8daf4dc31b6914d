package cachetest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/larderbuild/larder/cache"
)

// delivers replaces delivery.
func delivers(f func(d delivery) error) fault {
	return func(_ *memory, s *faulty) { s.deliver = f }
}

// delivered does something more after a delivery that went well.
func delivered(f func(root *os.Root, o output) error) fault {
	return delivers(func(d delivery) error {
		if err := d.right(d.ctx, d.root); err != nil {
			return err
		}
		for _, o := range d.a.Outputs {
			if err := f(d.root, o); err != nil {
				return err
			}
		}
		return nil
	})
}

var wrongDeliveries = []wrong{
	{"delivers files cut at 1 MiB", delivered(func(root *os.Root, o output) error {
		if len(o.Content) <= 1<<20 {
			return nil
		}
		return root.WriteFile(o.Name, o.Content[:1<<20], 0o644)
	}), []string{"deliver/files"}},
	{"leaves a temporary file", delivered(func(root *os.Root, o output) error {
		if len(o.Content) <= 1<<20 {
			return nil
		}
		return root.WriteFile("left.tmp", nil, 0o644)
	}), []string{"deliver/files"}},
	{"delivers without modes", delivered(func(root *os.Root, o output) error {
		if o.Mode.Perm() != 0o755 {
			return nil
		}
		return root.Chmod(o.Name, 0o644)
	}), []string{"deliver/modes"}},
	{"delivers the mode of equal content", delivered(func(root *os.Root, o output) error {
		if o.Name != "plain" {
			return nil
		}
		return root.Chmod(o.Name, 0o755)
	}), []string{"deliver/modes"}},
	{"delivers copies for links", delivered(func(root *os.Root, o output) error {
		if o.Target == "" {
			return nil
		}
		return errors.Join(root.Remove(o.Name), root.WriteFile(o.Name, nil, 0o644))
	}), []string{"deliver/symlinks"}},
	{"refuses links that climb", delivers(func(d delivery) error {
		for _, o := range d.a.Outputs {
			if filepath.IsLocal("x/"+o.Target) && o.Target != "" && !filepath.IsLocal(o.Target) {
				return errors.New("climbs")
			}
		}
		return d.right(d.ctx, d.root)
	}), []string{"deliver/symlinks"}},
	{"cannot deliver nothing", delivers(func(d delivery) error {
		if len(d.a.Outputs) == 0 {
			return errors.New("nothing to deliver")
		}
		return d.right(d.ctx, d.root)
	}), []string{"deliver/empty artifact"}},
	{"keeps files that are there", delivers(func(d delivery) error {
		for _, o := range d.a.Outputs {
			if fi, err := d.root.Lstat(o.Name); err == nil && fi.Mode().IsRegular() {
				return nil
			}
		}
		return d.right(d.ctx, d.root)
	}), []string{"deliver/over what is there"}},
	{"writes through links", delivers(func(d delivery) error {
		for _, o := range d.a.Outputs {
			if target, err := d.root.Readlink(o.Name); err == nil {
				return d.root.WriteFile(target, o.Content, 0o644)
			}
		}
		return d.right(d.ctx, d.root)
	}), []string{"deliver/over a symlink"}},
	{"delivers its own file", func(_ *memory, f *faulty) {
		var mu sync.Mutex
		paths := map[cache.Key]string{}
		f.deliver = func(d delivery) error {
			mu.Lock()
			defer mu.Unlock()
			paths[d.key] = filepath.Join(d.root.Name(), "out")
			return d.right(d.ctx, d.root)
		}
		f.read = func(key cache.Key, a *artifact) (err error) {
			mu.Lock()
			defer mu.Unlock()
			if paths[key] != "" {
				a.Outputs[0].Content, err = os.ReadFile(paths[key])
			}
			return err
		}
	}, []string{"deliver/own copy"}},
	{"a lease delivers to one at a time", func(_ *memory, f *faulty) {
		var reading sync.Mutex
		f.deliver = func(d delivery) error {
			if !reading.TryLock() {
				return cache.ErrNotFound
			}
			defer reading.Unlock()
			for range 1000 {
				runtime.Gosched()
			}
			return d.right(d.ctx, d.root)
		}
	}, []string{"deliver/many at a time"}},
	{"does not deliver what was deleted", func(m *memory, f *faulty) {
		f.deliver = func(d delivery) error {
			if _, there := m.Value(d.key); !there {
				return cache.ErrNotFound
			}
			return d.right(d.ctx, d.root)
		}
	}, []string{"deliver/after delete"}},
	{"leaves a part", delivers(func(d delivery) error {
		err := d.right(d.ctx, d.root)
		if len(d.a.Outputs) == 4 && d.a.Outputs[1].Target == "" && err != nil {
			_ = d.root.WriteFile("part", nil, 0o644) // the error to tell is the first
		}
		return err
	}), []string{"deliver/all or nothing"}},
	{"skips what it cannot replace", delivers(func(d delivery) error {
		err := d.right(d.ctx, d.root)
		if len(d.a.Outputs) == 4 && d.a.Outputs[1].Target == "" {
			return nil
		}
		return err
	}), []string{"deliver/all or nothing"}},
	{"removes what is in the way", delivers(func(d delivery) error {
		err := d.right(d.ctx, d.root)
		for _, o := range d.a.Outputs {
			if fi, statErr := d.root.Lstat(o.Name); statErr == nil && fi.IsDir() {
				err = errors.Join(err, d.root.RemoveAll(o.Name))
			}
		}
		return err
	}), []string{"deliver/all or nothing"}},
	{"delivers whatever the context says", delivers(func(d delivery) error {
		return d.right(context.WithoutCancel(d.ctx), d.root)
	}), []string{"deliver/cancelled"}},
	{"leaves a part when cancelled", delivers(func(d delivery) error {
		if d.ctx.Err() != nil {
			return errors.Join(d.ctx.Err(), d.root.WriteFile("a", nil, 0o644))
		}
		return d.right(d.ctx, d.root)
	}), []string{"deliver/cancelled"}},
	{"follows links of the destination", delivers(func(d delivery) error {
		if _, err := d.root.Readlink("dir"); err != nil {
			return d.right(d.ctx, d.root)
		}
		for _, o := range d.a.Outputs {
			if err := os.WriteFile(filepath.Join(d.root.Name(), o.Name), o.Content, 0o644); err != nil {
				return err
			}
		}
		return nil
	}), []string{"deliver/through a symlink"}},
	{"leaves a part beside a link", delivers(func(d delivery) error {
		err := d.right(d.ctx, d.root)
		if _, notLink := d.root.Readlink("dir"); err != nil && notLink == nil {
			_ = d.root.WriteFile("a", nil, 0o644) // the error to tell is the first
		}
		return err
	}), []string{"deliver/through a symlink"}},
}

// wrongLinks has a store for each way out of the destination.
func wrongLinks() (list []wrong) {
	for _, way := range []struct{ rule, name, target string }{
		{"parent", "l", ".."},
		{"sibling of the root", "l", "../x"},
		{"one up too many", "dir/l", "../../x"},
		{"out and in again", "l", "a/../../x"},
		{"absolute", "l", "/x"},
		{"by way of another link", "l", "dir/l/../../x"},
	} {
		is := func(o output) bool { return o.Name == way.name && o.Target == way.target }
		made := delivers(func(d delivery) error {
			if slices.ContainsFunc(d.a.Outputs, is) {
				return d.root.Symlink(way.target, "made")
			}
			return d.right(d.ctx, d.root)
		})
		part := delivers(func(d delivery) error {
			err := d.right(d.ctx, d.root)
			if slices.ContainsFunc(d.a.Outputs, is) {
				_ = d.root.WriteFile("a", nil, 0o644) // the error to tell is the first
			}
			return err
		})
		rule := []string{"deliver/outside symlink/" + way.rule}
		list = append(list,
			wrong{"delivers a link out: " + way.rule, made, rule},
			wrong{"delivers a part beside a link out: " + way.rule, part, rule})
	}
	return list
}
