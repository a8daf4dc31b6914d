package cachetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Delivered files are what was put, all or none, and stay inside the destination.
var deliverRules = []rule{
	{"deliver/files", deliverFiles},
	{"deliver/modes", deliverModes},
	{"deliver/symlinks", deliverSymlinks},
	{"deliver/empty artifact", deliverEmpty},
	{"deliver/over what is there", deliverOver},
	{"deliver/over a symlink", deliverOverSymlink},
	{"deliver/own copy", deliverOwnCopy},
	{"deliver/after delete", deliverAfterDelete},
	{"deliver/many at a time", deliverMany},
	{"deliver/all or nothing", deliverAllOrNothing},
	{"deliver/cancelled", deliverCancelled},
	{"deliver/outside symlink", deliverOutside},
	{"deliver/through a symlink", deliverThrough},
}

// destination opens an empty folder.
func (t *trial) destination() *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() }) // nothing was written through it since
	return root
}

// needDelivery skips a store that cannot deliver, before anything else can be the reason.
func (t *trial) needDelivery() {
	t.Helper()
	t.put(keyOf(0), Artifact{})
	ability[Deliverer](t, t.get(keyOf(0)))
}

// needSymlinks skips where the system does not let this process make symbolic links.
func (t *trial) needSymlinks() {
	t.Helper()
	t.needDelivery()
	if err := t.destination().Symlink("x", "probe"); err != nil {
		t.Skipf("cachetest: symbolic links cannot be made here; the rule was not run: %v", err)
	}
}

// deliver puts a and delivers it.
func (t *trial) deliver(root *os.Root, a Artifact) error {
	t.Helper()
	t.put(keyOf(0), a)
	return ability[Deliverer](t, t.get(keyOf(0))).Deliver(t.ctx, root)
}

// delivered demands that root holds exactly these outputs.
func (t *trial) delivered(root *os.Root, outputs ...Output) {
	t.Helper()
	got, err := readFolder(root)
	if err != nil {
		t.Fatal(err)
	}
	if d := (Artifact{Outputs: sorted(outputs)}).diff(Artifact{Outputs: got}); d != "" {
		var names []string
		for _, o := range got {
			names = append(names, o.Name)
		}
		t.Fatalf("destination: %s (it holds %q)", d, names)
	}
}

func sorted(outputs []Output) []Output {
	return slices.SortedFunc(slices.Values(outputs), func(a, b Output) int {
		return strings.Compare(a.Name, b.Name)
	})
}

// readFolder returns every file and link below root, sorted by name.
func readFolder(root *os.Root) ([]Output, error) {
	var all []Output
	err := fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		o := Output{Name: name}
		if entry.Type()&fs.ModeSymlink != 0 {
			o.Target, err = root.Readlink(name)
		} else {
			o.Content, err = root.ReadFile(name)
		}
		all = append(all, o)
		return err
	})
	slices.SortFunc(all, func(a, b Output) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

// plain clears the modes: not every system has them.
func plain(a Artifact) []Output {
	outputs := slices.Clone(a.Outputs)
	for i := range outputs {
		outputs[i].Mode = 0
	}
	return outputs
}

// deliverFiles demands the outputs and nothing else: no temporary files are left.
func deliverFiles(t *trial) {
	var a Artifact
	for i, size := range []int{0, 1, 1024, 1025, 70_000, 1<<20 + 1} {
		name := fmt.Sprintf("%sout%d", strings.Repeat("dir/", i), i)
		a.Outputs = append(a.Outputs, Output{Name: name, Mode: 0o644, Content: noise(size, i)})
	}
	root := t.destination()
	if err := t.deliver(root, a); err != nil {
		t.Fatal(err)
	}
	t.delivered(root, plain(a)...)
}

func deliverModes(t *trial) {
	a := Artifact{Outputs: []Output{
		{Name: "small", Mode: 0o755, Content: noise(10, 0)},
		{Name: "big", Mode: 0o755, Content: noise(5000, 0)},
		{Name: "plain", Mode: 0o644, Content: noise(5000, 0)}, // content shared with another mode
	}}
	t.needDelivery()
	root := t.destination()
	if err := root.WriteFile("probe", nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if fi, err := root.Stat("probe"); err != nil || !executable(fi.Mode()) {
		t.Skip("cachetest: files have no executable bit here; the rule was not run")
	}
	if err := t.deliver(root, a); err != nil {
		t.Fatal(err)
	}
	for _, o := range a.Outputs {
		fi, err := root.Stat(o.Name)
		if err != nil {
			t.Fatal(err)
		}
		if executable(fi.Mode()) != executable(o.Mode) {
			t.Errorf("delivered %q: mode %v, want it executable like %v", o.Name, fi.Mode(), o.Mode)
		}
	}
}

func link(name, target string) Output {
	return Output{Name: name, Mode: fs.ModeSymlink | 0o777, Target: target}
}

// deliverSymlinks has links that stay inside: to what comes later, to nothing, and up from a
// folder.
func deliverSymlinks(t *trial) {
	t.needSymlinks()
	a := Artifact{Outputs: []Output{
		link("before", "out"), {Name: "out", Mode: 0o644, Content: []byte("x")}, link("dir/up", "../out"),
		link("dir/beside", "up"), link("dangling", "dir/none"), link("dir/deep/up", "../../out"),
	}}
	root := t.destination()
	if err := t.deliver(root, a); err != nil {
		t.Fatal(err)
	}
	t.delivered(root, plain(a)...)
}

func deliverEmpty(t *trial) {
	root := t.destination()
	if err := t.deliver(root, Artifact{Stdout: []byte("x"), ExitCode: 1}); err != nil {
		t.Fatal(err)
	}
	t.delivered(root)
}

// deliverOver replaces what an earlier delivery left.
func deliverOver(t *trial) {
	root := t.destination()
	for i, size := range []int{10, 5000, 10} {
		a := Artifact{Outputs: []Output{{Name: "dir/out", Mode: 0o644, Content: noise(size, i)}}}
		if err := t.deliver(root, a); err != nil {
			t.Fatal(err)
		}
		t.delivered(root, plain(a)...)
	}
}

// deliverOverSymlink demands that a link in the way is replaced, not written through.
func deliverOverSymlink(t *trial) {
	t.needSymlinks()
	root := t.destination()
	err := errors.Join(root.WriteFile("other", []byte("x"), 0o644), root.Symlink("other", "out"))
	if err != nil {
		t.Fatal(err)
	}
	if err := t.deliver(root, text("new")); err != nil {
		t.Fatal(err)
	}
	t.delivered(root, Output{Name: "other", Content: []byte("x")}, plain(text("new"))[0])
}

// deliverOwnCopy writes into a delivered file, as build steps do.
func deliverOwnCopy(t *trial) {
	for _, size := range []int{10, 5000} {
		a := file(noise(size, 0))
		root := t.destination()
		if err := t.deliver(root, a); err != nil {
			t.Fatal(err)
		}
		if err := overwrite(root, "out", bytes.Repeat([]byte("!"), size)); err != nil {
			t.Fatal(err)
		}
		t.want(keyOf(0), a)
		again := t.destination()
		if err := ability[Deliverer](t, t.get(keyOf(0))).Deliver(t.ctx, again); err != nil {
			t.Fatal(err)
		}
		t.delivered(again, plain(a)...)
	}
}

// overwrite changes a file in place, even one that is read-only.
func overwrite(root *os.Root, name string, content []byte) error {
	if err := root.Chmod(name, 0o644); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// deliverAfterDelete delivers what only the lease keeps.
func deliverAfterDelete(t *trial) {
	ability[Holder](t, t.store)
	for i, size := range []int{10, 5000} {
		a := file(noise(size, i))
		t.put(keyOf(i), a)
		d := ability[Deliverer](t, t.get(keyOf(i)))
		t.remove(keyOf(i))
		root := t.destination()
		if err := d.Deliver(t.ctx, root); err != nil {
			t.Fatal(err)
		}
		t.delivered(root, plain(a)...)
	}
}

// deliverMany delivers one lease to several folders at a time.
func deliverMany(t *trial) {
	a := Artifact{Outputs: []Output{
		{Name: "a", Mode: 0o644, Content: noise(10, 0)}, {Name: "dir/b", Mode: 0o644, Content: noise(5000, 1)},
	}}
	t.put(keyOf(0), a)
	d := ability[Deliverer](t, t.get(keyOf(0)))
	t.together(func() error {
		root, err := os.OpenRoot(t.TempDir())
		if err != nil {
			return err
		}
		defer root.Close()
		if err := d.Deliver(t.ctx, root); err != nil {
			return err
		}
		got, err := readFolder(root)
		if d := (Artifact{Outputs: sorted(plain(a))}).diff(Artifact{Outputs: got}); d != "" {
			return errors.Join(err, errors.New("destination: "+d))
		}
		return err
	})
}

// deliverAllOrNothing blocks the first, a middle or the last output by a folder that is not empty.
func deliverAllOrNothing(t *trial) {
	for _, blocked := range []string{"a", "dir/m", "z"} {
		root := t.destination()
		err := errors.Join(root.MkdirAll(blocked, 0o755), root.WriteFile(blocked+"/keep", nil, 0o644))
		if err != nil {
			t.Fatal(err)
		}
		if err := t.deliver(root, named("a", "dir/m", "sub/dir/n", "z")); err == nil {
			t.Errorf("deliver with a folder at %q: no error", blocked)
		}
		t.delivered(root, Output{Name: blocked + "/keep"})
	}
}

// deliverCancelled starts with an ended context.
func deliverCancelled(t *trial) {
	t.put(keyOf(0), named("a", "b"))
	d := ability[Deliverer](t, t.get(keyOf(0)))
	ended, end := context.WithCancel(t.ctx)
	end()
	root := t.destination()
	if err := d.Deliver(ended, root); !errors.Is(err, context.Canceled) {
		t.Errorf("deliver with an ended context: %v; want context.Canceled", err)
	}
	t.delivered(root)
}

// deliverOutside delivers links between files. The last one stays inside by its text alone, and
// leads out by way of the link beside it.
func deliverOutside(t *trial) {
	t.needSymlinks()
	for _, bad := range []struct {
		about string
		links []Output
	}{
		{"parent", []Output{link("l", "..")}},
		{"sibling of the root", []Output{link("l", "../x")}},
		{"one up too many", []Output{link("dir/l", "../../x")}},
		{"out and in again", []Output{link("l", "a/../../x")}},
		{"absolute", []Output{link("l", "/x")}},
		{"by way of another link", []Output{link("dir/l", "."), link("l", "dir/l/../../x")}},
	} {
		t.part(bad.about, func(t *trial) {
			root := t.destination()
			a := named("a", "z/a")
			a.Outputs = slices.Insert(a.Outputs, 1, bad.links...)
			if err := t.deliver(root, a); err == nil {
				t.Error("deliver of a link that leads out: no error")
			}
			t.delivered(root)
		})
	}
}

// deliverThrough has a link out of the destination stand where an output's folder should be.
func deliverThrough(t *trial) {
	t.needSymlinks()
	outside, root := t.destination(), t.destination()
	if err := root.Symlink(outside.Name(), "dir"); err != nil {
		t.Fatal(err)
	}
	if err := t.deliver(root, named("a", "dir/b")); err == nil {
		t.Error("deliver below a link that leads out: no error")
	}
	t.delivered(outside)
	t.delivered(root, link("dir", outside.Name()))
}
