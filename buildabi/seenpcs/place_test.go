package seenpcs

import (
	"slices"
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

// TestRemembers shows that what is known is not looked for again: there is nothing to look in.
func TestRemembers(t *testing.T) {
	r := Resolver{known: map[uint64]place{1: {"/p/a.c", 3, 5}, 2: {}}}
	index, err := r.Index([]uint64{2, 1})
	want := []buildabi.Location{buildabi.NoLocation(), {File: 0, Line: 3, Column: 5}}
	if err != nil || !slices.Equal(index.Locations, want) || len(index.Files) != 1 {
		t.Errorf("%+v, %v", index, err)
	}
}

// TestFolders shows that the files of a folder stay together, so that its name is there once.
func TestFolders(t *testing.T) {
	r := Resolver{known: map[uint64]place{}}
	var pcs []uint64
	for i, name := range []string{"/p/b.c", "/p/a/x.c", "/p/a.c", "top.c", "/root.c", "/p/a/x.c"} {
		r.known[uint64(i)] = place{file: name}
		pcs = append(pcs, uint64(i))
	}
	index, err := r.Index(pcs)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range index.Files {
		directory, basename := index.Path(uint32(i))
		got = append(got, directory+" "+basename)
	}
	want := []string{" root.c", ". top.c", "/p a.c", "/p b.c", "/p/a x.c"}
	if !slices.Equal(got, want) || len(index.Directories) != 4 {
		t.Errorf("%q in %d folders, want %q", got, len(index.Directories), want)
	}
}

func TestAbsolute(t *testing.T) {
	for _, c := range []struct{ folder, name, want string }{
		{"/p", "src/../a.c", "/p/a.c"}, {"/p", "/q/./a.c", "/q/./a.c"}, {"", "a.c", "a.c"},
		{"/p", `C:\a.c`, `C:\a.c`}, {"/p", "a", "/p/a"},
	} {
		if got := absolute(c.folder, c.name); got != c.want {
			t.Errorf("%s in %s is %s, want %s", c.name, c.folder, got, c.want)
		}
	}
}
