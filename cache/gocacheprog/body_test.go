package gocacheprog_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

// content is n bytes that differ from each other, which nobody may change.
func content(n int) []byte { return contents()[:n:n] }

var contents = sync.OnceValue(func() []byte {
	b := make([]byte, 10_000_000)
	for i := range b {
		b[i] = byte(i*i>>3 + i)
	}
	return b
})

// bodyLine is how the go command sends b.
func bodyLine(b []byte) string {
	return `"` + base64.StdEncoding.EncodeToString(b) + `"` + "\n"
}

const nextLine = `{"ID":2}`

func TestBody(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 4, 5, 6, 100, 3000, 49151, 49152, 49153, 300_000} {
		want := content(size)
		sum := sha256.Sum256(want)
		text := bodyLine(want)
		if size == 0 {
			text = ""
		}
		for name, chunked := range map[string]func(io.Reader) io.Reader{
			"whole":  func(r io.Reader) io.Reader { return r },
			"bytes":  iotest.OneByteReader,
			"halves": iotest.HalfReader,
		} {
			if name == "bytes" && size > 3000 {
				continue // slow, and no different
			}
			b := gocacheprog.NewBody(chunked(strings.NewReader("\n"+text+nextLine)), int64(size), sum[:])
			if err := iotest.TestReader(b, want); err != nil {
				t.Errorf("%d bytes, %s: %v", size, name, err)
			}
			if rest := b.Rest(); rest != nextLine {
				t.Errorf("%d bytes, %s: the next line is %q", size, name, rest)
			}
		}
	}
}

// The answer to a put can be awaited before anything else is sent, so that reading a body may
// not want more than its last byte.
func TestBodyNeedsNoMoreInput(t *testing.T) {
	for size := 1; size < 10; size++ {
		want := content(size)
		sum := sha256.Sum256(want)
		text := strings.TrimSuffix(bodyLine(want), "\n")
		wall := iotest.ErrReader(errors.New("read beyond the body"))
		b := gocacheprog.NewBody(io.MultiReader(strings.NewReader(text), wall), int64(size), sum[:])
		if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %q, %v", size, got, err)
		}
	}
}

func TestBadBody(t *testing.T) {
	five := content(5)
	sum := sha256.Sum256(five)
	text := strings.TrimSuffix(bodyLine(five), "\n")
	for _, c := range []struct {
		name string
		text string
		want error
		rest string
	}{
		{"longer", bodyLine(content(6)) + nextLine, gocacheprog.ErrBody, nextLine},
		{"much longer", bodyLine(content(600)) + nextLine, gocacheprog.ErrBody, nextLine},
		{"shorter", bodyLine(five[:4]) + nextLine, gocacheprog.ErrBody, nextLine},
		{"changed", bodyLine(content(6)[1:]) + nextLine, gocacheprog.ErrChanged, nextLine},
		{"not base64", `"****"` + "\n" + nextLine, gocacheprog.ErrBody, nextLine},
		{"half a group", `"AAAAA"` + "\n" + nextLine, gocacheprog.ErrBody, nextLine},
		{"after padding", `"AA==AAA="` + "\n" + nextLine, gocacheprog.ErrBody, nextLine},
		{"the right size after padding", `"AAA=AAAA"` + "\n" + nextLine, gocacheprog.ErrBody, nextLine},
		{"no body", nextLine + "\n", gocacheprog.ErrBody, nextLine},
		{"unclosed line", `"AAAA` + "\n" + nextLine, gocacheprog.ErrBody, nextLine},
		{"given up", `"AAAA` + nextLine + "\n", gocacheprog.ErrAbandoned, nextLine},
		{"given up at once", `"` + nextLine + "\n", gocacheprog.ErrAbandoned, nextLine},
		{"given up after padding", text[:len(text)-1] + nextLine, gocacheprog.ErrAbandoned, nextLine},
		{"end of input", text[:len(text)-1], gocacheprog.ErrAbandoned, "EOF"},
		{"end before it", "\n", gocacheprog.ErrAbandoned, "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkBadBody(t, strings.NewReader(c.text), sum[:], c.want, c.rest)
		})
		t.Run(c.name+", in bytes", func(t *testing.T) {
			checkBadBody(t, iotest.OneByteReader(strings.NewReader(c.text)), sum[:], c.want, c.rest)
		})
	}
}

func checkBadBody(t *testing.T, r io.Reader, sum []byte, want error, rest string) {
	b := gocacheprog.NewBody(r, 5, sum)
	_, err := io.Copy(io.Discard, b)
	if !errors.Is(err, want) || errors.Is(err, io.EOF) {
		t.Errorf("ended with %v, want %v", err, want)
	}
	if _, again := b.Read(make([]byte, 1)); again != err {
		t.Errorf("then with %v, want the same", again)
	}
	if got := b.Rest(); got != rest {
		t.Errorf("the next line is %q, want %q", got, rest)
	}
}

// Whatever a body holds, it ends, and io.EOF means that it was as announced.
func FuzzBody(f *testing.F) {
	f.Add(bodyLine(content(5)), int64(5))
	f.Add(`"AAAA{`, int64(3))
	f.Add(`"AA==A`, int64(-1))
	f.Add("0", int64(0))
	f.Fuzz(func(t *testing.T, text string, size int64) {
		_, rest, _ := strings.Cut(text, `"`)
		rest, _, _ = strings.Cut(rest, `"`)
		want, err := base64.StdEncoding.DecodeString(rest)
		if size == 0 {
			want, err = nil, nil // it has no text then
		}
		sum := sha256.Sum256(want)
		b := gocacheprog.NewBody(strings.NewReader(text), size, sum[:])
		var got bytes.Buffer
		_, readErr := got.ReadFrom(b)
		if readErr == nil && (err != nil || int64(got.Len()) != size || sha256.Sum256(got.Bytes()) != sum) {
			t.Errorf("%q of %d bytes was read as %q", text, size, got.Bytes())
		}
	})
}
