package cache_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache"
)

func digestOf(s string) cache.Digest { return sha256.Sum256([]byte(s)) }

// field is how a field goes into a key: a tag, a length, then what it holds.
func field(tag byte, n int, text string) string {
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(n))
	return string(tag) + string(length[:]) + text
}

// Keys that hosts have stored artifacts under. If one changes, every cache there is runs cold.
func TestKeyGolden(t *testing.T) {
	d := digestOf("compiler")
	for _, c := range []struct {
		name   string
		key    *cache.KeyBuilder
		hashed string
		golden string
	}{
		{"domain alone", cache.NewKey("cc/1"), field('D', 4, "cc/1"),
			"ec6f9f96fa62174c531412d44a45171e987cf9b1477960bb7b6fe3c51cba544c"},
		{"no domain", cache.NewKey(""), field('D', 0, ""),
			"a45bff2be728c2a3bc8f717d63cf960b042edc6fed969d538c8fe87434b5b636"},
		{"a string", cache.NewKey("d").Strings("-O2"), field('D', 1, "d") + field('l', 1, field('s', 3, "-O2")),
			"604c30f943b3c2a03964336158d502f353ccc0071667a4e81515f6b4d6f5fa28"},
		{"two strings", cache.NewKey("d").Strings("-O0", "-O2"),
			field('D', 1, "d") + field('l', 2, field('s', 3, "-O0")+field('s', 3, "-O2")),
			"ba44f1502d353437f5f4148d7ca3b59d12ce65b7a3614054a771362848630c13"},
		{"bytes", cache.NewKey("d").Bytes([]byte{0, 255}), field('D', 1, "d") + field('b', 2, "\x00\xff"),
			"4eff592d82f8c2e5b015381af88bf9c0bc74c1241aecb9f0275fe6150e4a576a"},
		{"a number", cache.NewKey("d").Int(-2), field('D', 1, "d") + field('i', 8, "\xfe"+strings.Repeat("\xff", 7)),
			"b12e4067f0e0805ef45d38ad0c87b23583d84425ebbefd0ff08106ae5df41265"},
		{"a digest", cache.NewKey("d").Digest(d), field('D', 1, "d") + field('d', 32, string(d[:])),
			"c75d6ff67e3ab8c2d9f7c63ea9ad4716eaaab9cf9a20c0b74d892c14d739f0df"},
		{"digests", cache.NewKey("d").Digests(d, d),
			field('D', 1, "d") + field('L', 2, strings.Repeat(field('d', 32, string(d[:])), 2)),
			"66c26a0012184c4b8ba68dd45d8f89ff90e6f2edc6c3910e03c872ec8f773b2c"},
		{"all", cache.NewKey("cc/1").Digest(d).Strings("-c", "a.c").Digests().Int(1).Bytes(nil),
			field('D', 4, "cc/1") + field('d', 32, string(d[:])) + field('l', 2, field('s', 2, "-c")+field('s', 3, "a.c")) +
				field('L', 0, "") + field('i', 8, "\x01\x00\x00\x00\x00\x00\x00\x00") + field('b', 0, ""),
			"6a453cc263393848723a41bfe42a1776203289985bd162eee9022b4b2be7a3e1"},
	} {
		got := c.key.Sum()
		if want := cache.Key(sha256.Sum256([]byte(c.hashed))); got != want {
			t.Errorf("%s: %v, but its fields hash to %v", c.name, got, want)
		}
		if got.String() != c.golden {
			t.Errorf("%s: %v, want %s", c.name, got, c.golden)
		}
		if again := c.key.Sum(); again != got {
			t.Errorf("%s: then %v", c.name, again)
		}
	}
}

// No two of these lists of fields are the same step.
func TestKeysDiffer(t *testing.T) {
	d, e := digestOf("d"), digestOf("e")
	k := func() *cache.KeyBuilder { return cache.NewKey("t/1") }
	seen := map[cache.Key]string{}
	for name, b := range map[string]*cache.KeyBuilder{
		"nothing":                     k(),
		"other domain":                cache.NewKey("t/2"),
		"longer domain":               cache.NewKey("t/11"),
		"no domain":                   cache.NewKey(""),
		"ab, c":                       k().Strings("ab", "c"),
		"a, bc":                       k().Strings("a", "bc"),
		"abc":                         k().Strings("abc"),
		"c, ab":                       k().Strings("c", "ab"),
		"ab; c":                       k().Strings("ab").Strings("c"),
		"ab, c, nothing":              k().Strings("ab", "c", ""),
		"nothing, ab, c":              k().Strings("", "ab", "c"),
		"an empty list":               k().Strings(),
		"an empty list of digests":    k().Digests(),
		"two empty lists":             k().Strings().Strings(),
		"a list of an empty string":   k().Strings(""),
		"ab, c as bytes":              k().Bytes([]byte("ab")).Bytes([]byte("c")),
		"abc as bytes":                k().Bytes([]byte("abc")),
		"no bytes":                    k().Bytes(nil),
		"one":                         k().Int(1),
		"minus one":                   k().Int(-1),
		"one as bytes":                k().Bytes([]byte{1, 0, 0, 0, 0, 0, 0, 0}),
		"one as a string":             k().Strings("1"),
		"zero":                        k().Int(0),
		"one and two":                 k().Int(1).Int(2),
		"two and one":                 k().Int(2).Int(1),
		"a digest":                    k().Digest(d),
		"a list of one digest":        k().Digests(d),
		"a digest as bytes":           k().Bytes(d[:]),
		"a digest as a string":        k().Strings(string(d[:])),
		"a digest in hex":             k().Strings(d.String()),
		"two digests":                 k().Digests(d, e),
		"two digests, other order":    k().Digests(e, d),
		"two digests, apart":          k().Digests(d).Digests(e),
		"two digests, one by one":     k().Digest(d).Digest(e),
		"digest before string":        k().Digest(d).Strings("a"),
		"string before digest":        k().Strings("a").Digest(d),
		"what a field looks like":     k().Bytes([]byte(field('b', 3, "abc"))),
		"strings after a list of two": k().Strings("a", "b").Strings("c"),
		"list of three":               k().Strings("a", "b", "c"),
		"case":                        k().Strings("A", "b", "c"),
		"composed":                    k().Strings("\u00e9"),
		"decomposed":                  k().Strings("e\u0301"),
	} {
		sum := b.Sum()
		if other, dup := seen[sum]; dup {
			t.Errorf("%q and %q have the key %v", name, other, sum)
		}
		seen[sum] = name
	}
}

// Sum ends nothing, and a key is what its fields are, however they came in.
func TestKeySumGoesOn(t *testing.T) {
	b := cache.NewKey("t")
	first := b.Strings("a").Sum()
	if more := b.Int(7).Sum(); more != cache.NewKey("t").Strings("a").Int(7).Sum() || more == first {
		t.Errorf("%v, then %v", first, more)
	}
	list := []string{"a", "b"}
	b = cache.NewKey("t").Strings(list...)
	list[0] = "changed"
	if b.Sum() != cache.NewKey("t").Strings("a", "b").Sum() {
		t.Error("a list that changed afterwards changed the key")
	}
}

func TestParseKeyAndDigest(t *testing.T) {
	sum := sha256.Sum256([]byte("text"))
	text := hex.EncodeToString(sum[:])
	parsers := map[string]func(string) ([32]byte, string, error){
		"key": func(s string) ([32]byte, string, error) {
			k, err := cache.ParseKey(s)
			return k, k.String(), err
		},
		"digest": func(s string) ([32]byte, string, error) {
			d, err := cache.ParseDigest(s)
			return d, d.String(), err
		},
	}
	for what, parse := range parsers {
		if got, again, err := parse(text); got != sum || again != text || err != nil {
			t.Errorf("%s: %x, %s, %v", what, got, again, err)
		}
		for name, c := range map[string]struct{ text, says string }{
			"empty":      {"", "0 characters"},
			"short":      {text[:63], "63 characters"},
			"long":       {text + "0", "65 characters"},
			"twice":      {text + text, "128 characters"},
			"not hex":    {text[:63] + "g", "'g'"},
			"spaces":     {" " + text[:63], "' '"},
			"prefixed":   {"0x" + text[:62], "'x'"},
			"wide digit": {text[:61] + "\uff11", "invalid"},
			"NUL":        {text[:63] + "\x00", "invalid"},
		} {
			got, _, err := parse(c.text)
			if err == nil || got != [32]byte{} {
				t.Errorf("%s %s: %x, %v", what, name, got, err)
				continue
			}
			if m := err.Error(); !strings.HasPrefix(m, "cache: parse "+what+": ") || !strings.Contains(m, c.says) {
				t.Errorf("%s %s: %q does not say %q", what, name, m, c.says)
			}
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(strings.Repeat("0a", 32))
	f.Add(strings.Repeat("0A", 32))
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := cache.ParseKey(s); err == nil && k.String() != strings.ToLower(s) {
			t.Errorf("%q is %v", s, k)
		}
	})
}
