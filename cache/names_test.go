package cache_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache"
)

// openStore opens a store that the test closes.
func openStore(t *testing.T, dir string) *cache.Store {
	t.Helper()
	s, err := cache.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil { // the test's context has ended
			t.Error(err)
		}
	})
	return s
}

// addAll adds empty files to a new draft and returns the first error.
func addAll(s *cache.Store, names ...string) error {
	d := s.NewDraft()
	defer d.Discard()
	for _, name := range names {
		if err := d.Add(name, 0o644, strings.NewReader("")); err != nil {
			return err
		}
	}
	return nil
}

// refused demands a NameError that names what was wrong.
func refused(t *testing.T, err error, want cache.NameError) {
	t.Helper()
	e, ok := errors.AsType[*cache.NameError](err)
	switch {
	case !ok:
		t.Errorf("%.60q: %v is no NameError", want.Name, err)
	case e.Field != want.Field || e.Name != want.Name || !strings.Contains(e.Reason, want.Reason):
		t.Errorf("%.60q: %+v does not say %q of the %s", want.Name, e, want.Reason, want.Field)
	case !strings.Contains(err.Error(), "output "+want.Field) || !strings.Contains(err.Error(), e.Reason):
		t.Errorf("%.60q: message %q names neither field nor reason", want.Name, err)
	}
}

// deep is a name of n bytes in elements of at most 100.
func deep(n int) string {
	name := []byte(strings.Repeat(strings.Repeat("x", 99)+"/", n/100+1)[:n])
	name[n-1] = 'x'
	return string(name)
}

func TestNamesRefused(t *testing.T) {
	s := openStore(t, t.TempDir())
	reasons := map[string][]string{
		"is empty":             {""},
		"4096 bytes":           {deep(4097), strings.Repeat("a/", 3000) + "a"},
		"not UTF-8":            {"a\xff", "\xc0\x80", "\xed\xa0\x80"},
		"NUL":                  {"a\x00", "\x00"},
		"is absolute":          {"/", "/a", "//a"},
		`\ : * ? " < > |`:      {`a\b`, `..\a`, "C:", "C:a", "a:stream", "*.o", "what?", `"a"`, "<a", "a>", "a|b", `\\host\a`},
		"not clean":            {".", "..", "../a", "a/..", "a/../b", "./a", "a/.", "a//b", "a/", "a/./b"},
		"longer than 255":      {strings.Repeat("a", 256), "a/" + strings.Repeat("é", 128) + "/b"},
		"a control character":  {"a\nb", "a\tb", "\x01", "a/\x1f/b", "a\r"},
		"ends in a dot or a s": {"a.", "a ", "a./b", "a /b", "...", "a/....", " ", "con. "},
		"a device name on Win": {
			"con", "CON", "cOn", "nul", "prn", "aux", "nul.txt", "NUL.tar.gz", "a/nul/b", "nul .txt", "aux.c",
			"com0", "com1", "COM9.log", "lpt1", "Lpt9", "com¹", "COM²", "lpt³.txt", "conin$", "CONOUT$", "conout$.txt",
		},
	}
	for reason, names := range reasons {
		for _, name := range names {
			refused(t, addAll(s, name), cache.NameError{Field: "name", Name: name, Reason: reason})
		}
	}
}

func TestGoodNames(t *testing.T) {
	s := openStore(t, t.TempDir())
	good := []string{
		"a", "a.o", "lib/a.o", "1/2/3/4/5/6/7", ".hidden", "..a", "a..b", "...a", "a b", " a", "~", "-", "-rf", "#a#", "$HOME",
		"größer", "日本語/ファイル", "🦀.rs", "\u00a0", "a'b", "a;b", "a&b", "[a]", "{a}", "a=b", "a,b", "%41", "!",
		"console", "con1", "nul1", "nulls", "auxiliary", "com", "lpt", "com10", "com12", "COM123.txt", "lpt45", "coma",
		"xcom1", "conin", "prn_", "com¹²", "\x7f", strings.Repeat("a", 255), strings.Repeat("é", 127), deep(4096),
	}
	for _, name := range good {
		if err := addAll(s, name); err != nil {
			t.Errorf("%.60q: %v", name, err)
		}
	}
	if err := addAll(s, good...); err != nil {
		t.Errorf("all in one draft: %v", err)
	}
}

// TestNamesTogether adds names that a folder of some supported system could not hold together. The last is refused.
func TestNamesTogether(t *testing.T) {
	s := openStore(t, t.TempDir())
	for reason, lists := range map[string][][]string{
		"there twice": {
			{"a", "a"}, {"a", "A"}, {"a/b", "a/B"}, {"a/b", "A/b"}, {"x", "y", "X"}, {"é", "É"}, {"straße", "STRAßE"},
			{"ς", "σ"}, {"Σ", "ς"}, {"k", "\u212a"}, {"\u212a", "K"}, {"s", "ſ"}, {"å", "\u212b"}, {"ß", "ẞ"},
			{"ǆ", "ǅ"}, {"Ǆ", "ǅ"}, {"μ", "µ"}, {"я", "Я"}, {"θ", "ϴ"}, {"Ⅷ", "ⅷ"}, {"ⓐ", "Ⓐ"}, {"𐐀", "𐐨"},
		},
		"is a folder of":       {{"a/b", "a"}, {"A/b", "a"}, {"a/b/c", "x", "a/B"}, {"σ/a", "ς"}},
		"is below another":     {{"a", "a/b"}, {"a", "A/b"}, {"x", "a", "a/b/c/d"}, {"a/b", "a/B/c"}, {"K", "\u212a/a"}},
		"4096 bytes":           {{"a", deep(4097)}},
		"ends in a dot or a s": {{"a", "a."}},
	} {
		for _, names := range lists {
			last := names[len(names)-1]
			refused(t, addAll(s, names...), cache.NameError{Field: "name", Name: last, Reason: reason})
			if err := addAll(s, names[:len(names)-1]...); err != nil {
				t.Errorf("%q without the last: %v", names, err)
			}
		}
	}
	for _, names := range [][]string{
		{"a", "b"}, {"a", "a.o"}, {"a.o", "a"}, {"a/b", "a/c", "b/a", "ab"}, {"ab", "a/b"}, {"a-b", "a/b", "a.b"},
		{"i", "ı", "İ"}, {"ss", "ß"}, {"0", "٠"}, {"a", "à"}, {"a", "ａ"}, {"a/b/c", "a/b/d", "a/e"},
	} {
		if err := addAll(s, names...); err != nil {
			t.Errorf("%q: %v", names, err)
		}
	}
}

func TestSymlinkNames(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, c := range []struct {
		name, target string
		want         cache.NameError
	}{
		{"a", "", cache.NameError{Field: "target", Name: "", Reason: "is empty"}},
		{"a", strings.Repeat("t", 4097), cache.NameError{Field: "target", Name: strings.Repeat("t", 4097), Reason: "4096"}},
		{"a", "b\x00", cache.NameError{Field: "target", Name: "b\x00", Reason: "NUL"}},
		{"../a", "b", cache.NameError{Field: "name", Name: "../a", Reason: "not clean"}},
		{"nul", "", cache.NameError{Field: "name", Name: "nul", Reason: "device"}},
	} {
		d := s.NewDraft()
		refused(t, d.AddSymlink(c.name, c.target), c.want)
		refused(t, d.Add("sound", 0o644, strings.NewReader("")), c.want) // the draft has failed
		refused(t, s.Put(t.Context(), cache.NewKey("names").Sum(), d), c.want)
	}
	if _, err := s.Get(t.Context(), cache.NewKey("names").Sum()); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("a draft that failed can be got: %v", err)
	}
}

// TestLongNamesStay stores the longest names there are, in a record's room and beyond, and finds them after a reopen.
func TestLongNamesStay(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	var drafts [][]string
	for _, n := range []int{1, 11, 12, 13, 255, 256, 4095, 4096} {
		drafts = append(drafts, []string{deep(n)}, []string{"other", deep(n), "link " + deep(1)})
	}
	put := func(names []string) cache.Key {
		key := cache.NewKey("long").Strings(names...).Sum()
		d := s.NewDraft()
		for _, name := range names {
			if err := d.Add(name, 0o644, strings.NewReader(name)); err != nil {
				t.Fatal(err)
			}
		}
		if len(names) > 1 {
			if err := d.AddSymlink("a link", strings.Repeat("t", len(names[1]))); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Put(t.Context(), key, d); err != nil {
			t.Fatal(err)
		}
		return key
	}
	keys := make([]cache.Key, len(drafts))
	for i, names := range drafts {
		keys[i] = put(names)
	}
	check := func() {
		for i, names := range drafts {
			checkNames(t, s, keys[i], names)
		}
	}
	check()
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	check()
}

func checkNames(t *testing.T, s *cache.Store, key cache.Key, names []string) {
	t.Helper()
	a, err := s.Get(t.Context(), key)
	if err != nil {
		t.Errorf("%.60q: %v", names, err)
		return
	}
	defer a.Release()
	outputs, err := a.Outputs()
	if want := len(names) + min(1, len(names)-1); err != nil || len(outputs) != want {
		t.Errorf("%.60q: %d outputs, want %d: %v", names, len(outputs), want, err)
		return
	}
	for i, name := range names {
		b, err := a.Bytes(name)
		if err != nil || string(b) != name || outputs[i].Name != name {
			t.Errorf("%.60q is %.60q with %.60q: %v", name, outputs[i].Name, b, err)
		}
	}
	if len(names) > 1 {
		link, err := a.Output("a link")
		if err != nil || link.Mode.Type() != fs.ModeSymlink || link.Target != strings.Repeat("t", len(names[1])) {
			t.Errorf("link: %+v, %v", link, err)
		}
	}
}
