package gocacheprog_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

// seeded answers misses from a folder of Go's own cache and puts what it finds there, so
// that a test need not compile the standard library.
type seeded struct {
	gocacheprog.Store
	gocache string
}

func (s seeded) Get(ctx context.Context, action gocacheprog.ID) (gocacheprog.Object, error) {
	o, err := s.Store.Get(ctx, action)
	if err == nil {
		return o, nil
	}
	output, name, ok := ownEntry(s.gocache, hex.EncodeToString(action[:]))
	if !ok {
		return o, err
	}
	f, openErr := os.Open(name)
	if openErr != nil {
		return o, err
	}
	defer f.Close()
	return s.Put(ctx, action, output, f)
}

// ownEntry looks an action up in a folder of Go's own cache.
func ownEntry(gocache, action string) (output gocacheprog.ID, file string, ok bool) {
	record, err := os.ReadFile(filepath.Join(gocache, action[:2], action+"-a"))
	if err != nil {
		return output, "", false
	}
	var version, id, out string
	if n, _ := fmt.Sscan(string(record), &version, &id, &out); n != 3 || len(out) != 64 {
		return output, "", false
	}
	n, err := hex.Decode(output[:], []byte(out))
	return output, filepath.Join(gocache, out[:2], out+"-d"), err == nil && n == len(output)
}

// faulty fails as the program says.
type faulty struct {
	gocacheprog.Store
	p    *program
	gets atomic.Int64
	last atomic.Pointer[string] // path of the last answer
}

func (f *faulty) Get(ctx context.Context, action gocacheprog.ID) (gocacheprog.Object, error) {
	if f.p.FailGets {
		return gocacheprog.Object{}, errBroken
	}
	o, err := f.Store.Get(ctx, action)
	if n := f.p.RemoveEvery; n > 0 && err == nil && f.gets.Add(1)%n == 0 {
		os.Remove(o.Path)
	}
	if f.p.RemoveLate && err == nil {
		if last := f.last.Swap(&o.Path); last != nil {
			os.Remove(*last)
		}
	}
	return o, err
}

func (f *faulty) Put(ctx context.Context, action, output gocacheprog.ID, r io.Reader) (gocacheprog.Object, error) {
	if f.p.FailPuts {
		io.CopyN(io.Discard, r, 3000)
		return gocacheprog.Object{}, errBroken
	}
	return f.Store.Put(ctx, action, output, r)
}

// junk is what no go command sends, and nothing that could be answered.
var junk = []string{
	"\n", "junk\n", "{}\n", "[1,2]\n", "\x00\xff\xfe\n", `{"ID":0}` + "\n", `{"ID":"1","Command":"close"}` + "\n",
	`"c3RyYXk="` + "\n", `{"ID":` + "\n", string(bytes.Repeat([]byte{'x'}, 200_000)) + "\n",
}

// newJunkReader puts junk before each request that r has.
func newJunkReader(r io.Reader) io.Reader {
	pr, pw := io.Pipe()
	go func() { // ends with r
		br := bufio.NewReader(r)
		for n := 0; ; n++ {
			line, err := br.ReadString('\n')
			if len(line) > 0 && line[0] == '{' {
				io.WriteString(pw, junk[n%len(junk)])
			}
			io.WriteString(pw, line)
			if err != nil {
				pw.CloseWithError(err)
				return
			}
		}
	}()
	return pr
}
