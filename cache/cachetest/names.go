package cachetest

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/larderbuild/larder/cache"
)

// Names that some supported system could not hold, or that lead out of a folder, are refused.
var nameRules = []rule{
	{"names/refused", namesRefused},
	{"names/clash", namesClash},
	{"names/accepted", namesAccepted},
	{"names/refused leaves nothing", namesLeaveNothing},
	{"names/refused keeps the old", namesKeepOld},
}

type badName struct{ about, name string }

var badNames = []badName{
	{"empty", ""},
	{"absolute", "/out"},
	{"dot", "."},
	{"dot-dot", ".."},
	{"parent", "../out"},
	{"parent inside", "a/../out"},
	{"parent at the end", "a/.."},
	{"dot inside", "a/./out"},
	{"dot first", "./out"},
	{"double slash", "a//out"},
	{"trailing slash", "out/"},
	{"root", "/"},
	{"NUL", "a\x00b"},
	{"backslash", `a\b`},
	{"parent by backslash", `..\out`},
	{"drive", "c:"},
	{"drive-relative", "c:x"},
	{"drive-absolute", "C:/x"},
	{"stream of a file", "out:stream"},
	{"not UTF-8", "a\xffb"},
	{"control character", "a\nb"},
	{"element of 256 bytes", strings.Repeat("n", 256)},
	{"CON", "CON"},
	{"prn", "prn"},
	{"Aux", "Aux"},
	{"nul.txt", "nul.txt"},
	{"COM1", "COM1"},
	{"com9.o", "com9.o"},
	{"COM and a small one", "COM¹"},
	{"LPT9 with a dot", "LPT9."},
	{"lpt1.tar.gz", "lpt1.tar.gz"},
	{"CONIN$", "CONIN$"},
	{"aux and a space", "aux "},
	{"nul, a space and a suffix", "nul .txt"},
	{"device as a folder", "con/out"},
	{"device below a folder", "a/nul"},
	{"trailing dot", "out."},
	{"trailing space", "out "},
	{"trailing dot in a folder", "a./out"},
	{"trailing space in a folder", "a /out"},
	{"three dots", "..."},
}

// clashes are pairs of names that are fine alone.
var clashes = []struct{ about, one, other string }{
	{"twice", "out", "out"},
	{"case", "out", "OUT"},
	{"case in a folder", "dir/out", "DIR/out"},
	{"umlaut", "ä", "Ä"},
	{"sigma", "σ", "ς"},
	{"kelvin", "k", "\u212a"},
	{"long s", "s", "ſ"},
	{"folder of another", "a", "a/out"},
	{"folder of another, later", "a/b/out", "a"},
	{"folder of another by case", "A", "a/out"},
	{"folder of another by case, later", "a/out", "A"},
}

var goodNames = []string{
	".hidden", "..a", "a..b", "a.b.c", "a b", " a", "-rf", "~", "c", "c/x", "#%&{}$!'@+`^=;,()[]",
	"CONSOLE", "con1", "xCON", "a.con", "nul_", "nullable.txt", "aux2",
	"COM", "COM10", "COM12", "COMx", "LPT", "lpt-1",
	"ünï/日本.txt", "e\u0301", "🙂",
}

// named returns an artifact with one small file under each name.
func named(names ...string) Artifact {
	var a Artifact
	for _, name := range names {
		a.Outputs = append(a.Outputs, Output{Name: name, Mode: 0o644, Content: []byte("of " + name)})
	}
	return a
}

// refused demands an error for a that blames one of the names.
func (t *trial) refused(key cache.Key, a Artifact, names ...string) {
	t.Helper()
	err := t.store.Put(t.ctx, key, a)
	bad, ok := errors.AsType[*cache.NameError](err)
	if !ok {
		t.Fatalf("put of outputs %q: %v; want a *cache.NameError", names, err)
	}
	if bad.Field != "name" {
		t.Errorf("put of outputs %q: field %q is blamed, want name", names, bad.Field)
	}
	if slices.Contains(names, bad.Name) {
		return
	}
	t.Errorf("put of outputs %q: %q is blamed", names, bad.Name)
}

// namesRefused tries each name as that of a file and of a link.
func namesRefused(t *trial) {
	for _, bad := range badNames {
		t.part(bad.about, func(t *trial) {
			t.refused(keyOf(0), named(bad.name), bad.name)
			link := Output{Name: bad.name, Mode: fs.ModeSymlink | 0o777, Target: "x"}
			t.refused(keyOf(0), Artifact{Outputs: []Output{link}}, bad.name)
		})
	}
}

// namesClash has another output between the two: comparing neighbours is not enough.
func namesClash(t *trial) {
	for _, c := range clashes {
		t.part(c.about, func(t *trial) {
			t.refused(keyOf(0), named(c.one, "between", c.other), c.one, c.other)
		})
	}
}

// namesAccepted keeps a store from refusing more than it must.
func namesAccepted(t *trial) {
	for i, name := range goodNames {
		t.part(name, func(t *trial) { t.roundTrip(keyOf(i), named(name)) })
	}
	t.part("side by side", func(t *trial) {
		t.roundTrip(keyOf(len(goodNames)), named("a", "ab", "a.b", "a b/x", "b/a", "b/ab", "b-a"))
	})
}

func namesLeaveNothing(t *trial) {
	t.refused(keyOf(0), named("fine", "../bad"), "../bad")
	t.miss(keyOf(0))
	t.listed()
}

func namesKeepOld(t *trial) {
	t.put(keyOf(0), text("old"))
	t.refused(keyOf(0), named("fine", "../bad"), "../bad")
	t.want(keyOf(0), text("old"))
}
