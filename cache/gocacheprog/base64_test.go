package gocacheprog_test

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

// What the quick decoder takes, encoding/base64 decodes to the same bytes; and it takes
// all but the end of what encoding/base64 makes.
func FuzzBase64(f *testing.F) {
	f.Add([]byte("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), 100)
	f.Add([]byte("AAECAwQFBgcI*QoLDA0ODxAR+/MU"), 100)
	f.Add([]byte("AAECAw\nQFBgcICQoLDA=="), 20)
	f.Fuzz(func(t *testing.T, src []byte, room int) {
		dst := make([]byte, min(max(room, 0), 1000))
		taken := gocacheprog.DecodeBase64(dst, src)
		want, err := base64.StdEncoding.DecodeString(string(src[:taken]))
		if err != nil || !bytes.Equal(dst[:taken/4*3], want) {
			t.Errorf("%q: took %d: %x, want %x, %v", src, taken, dst[:taken/4*3], want, err)
		}
		encoded := base64.StdEncoding.AppendEncode(nil, src)
		dst = make([]byte, len(src)+16)
		if left := len(encoded) - gocacheprog.DecodeBase64(dst, encoded); left > 12 {
			t.Errorf("left %d characters of %q", left, encoded)
		}
	})
}

func BenchmarkBase64(b *testing.B) {
	src := base64.StdEncoding.AppendEncode(nil, content(48_000))
	dst := make([]byte, 64_000)
	b.Run("larder", func(b *testing.B) {
		b.SetBytes(48_000)
		for b.Loop() {
			gocacheprog.DecodeBase64(dst, src)
		}
	})
	b.Run("standard", func(b *testing.B) {
		b.SetBytes(48_000)
		for b.Loop() {
			base64.StdEncoding.Decode(dst, src)
		}
	})
}
