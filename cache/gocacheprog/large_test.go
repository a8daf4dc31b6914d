package gocacheprog_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

// pattern is an endless content that needs no memory.
type pattern struct{ at int }

func (p *pattern) Read(b []byte) (int, error) {
	n := copy(b, content(1_000_003)[p.at:])
	p.at = (p.at + n) % 1_000_003
	return n, nil
}

// putOf is the input of one put of so many bytes, made as it is read.
func putOf(t *testing.T, size int64) io.Reader {
	t.Helper()
	h := sha256.New()
	if _, err := io.CopyN(h, new(pattern), size); err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf("{\"ID\":1,\"Command\":\"put\",\"ActionID\":%q,\"OutputID\":%q,\"BodySize\":%d}\n\n\"",
		someID, base64ID(gocacheprog.ID(h.Sum(nil))), size)
	pr, pw := io.Pipe()
	go func() { // ends with the last byte
		enc := base64.NewEncoder(base64.StdEncoding, pw)
		_, err := io.CopyN(enc, new(pattern), size)
		if err == nil {
			err = enc.Close()
		}
		pw.CloseWithError(err)
	}()
	return io.MultiReader(strings.NewReader(line), pr, strings.NewReader("\"\n"))
}

// checkFlat puts a body and checks what memory that took, with a store and without one.
func checkFlat(t *testing.T, size int64) {
	for name, open := range map[string]gocacheprog.Opener{
		"store":    openStore(t, t.TempDir(), 1<<20),
		"no store": gocacheprog.Opened(failing(size / 2)),
	} {
		in, sessions := putOf(t, size), t.TempDir()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var out bytes.Buffer
		o := &gocacheprog.Options{Sessions: sessions}
		if err := gocacheprog.Serve(t.Context(), in, &out, open, o); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 { // the open index takes most of it
			t.Errorf("%s: %d bytes took %d bytes of memory", name, size, grown)
		}
		_, path, _ := strings.Cut(out.String(), `"DiskPath":"`)
		path = strings.TrimRight(path, "\"}\n")
		info, err := os.Stat(filepath.FromSlash(path))
		if err != nil || info.Size() != size {
			t.Errorf("%s: answered %s: %v, %v", name, &out, info, err)
		}
		os.Remove(path)
	}
}

func TestLargeBodyTakesNoMemory(t *testing.T) { checkFlat(t, 24<<20) }
