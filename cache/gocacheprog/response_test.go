package gocacheprog_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

func checkResponse(t *testing.T, r gocacheprog.Response) {
	t.Helper()
	want, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(r.AppendTo(nil)); got != string(want)+"\n" {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestResponse(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 7000, time.UTC)
	output := []byte("an output ID has thirty-two byte")
	for name, r := range map[string]gocacheprog.Response{
		"announcement": {KnownCommands: []string{"get", "put", "close"}},
		"miss":         {ID: 12, Miss: true},
		"closed":       {ID: 13},
		"hit":          {ID: 14, OutputID: output, Size: 5, Time: &at, DiskPath: "/a/b"},
		"empty output": {ID: 14, OutputID: output, Time: &at, DiskPath: "/a/b"},
		"put":          {ID: 15, DiskPath: `C:\Users\"a"`},
		"refused":      {ID: -16, Err: "no <space> & \x00 no \xff luck\n"},
	} {
		t.Run(name, func(t *testing.T) { checkResponse(t, r) })
	}
}

// A time that the go command's decoder refuses would end it.
func TestResponseLeavesOddTimesOut(t *testing.T) {
	for _, year := range []int{-1, 10000} {
		at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		r := gocacheprog.Response{ID: 1, Time: &at}
		if got := string(r.AppendTo(nil)); got != "{\"ID\":1}\n" {
			t.Errorf("year %d: %s", year, got)
		}
	}
}

func FuzzResponse(f *testing.F) {
	f.Add(int64(1), "an error", true, int64(2), int64(3), "/a/path")
	f.Fuzz(func(t *testing.T, id int64, e string, miss bool, size, nano int64, path string) {
		r := gocacheprog.Response{ID: id, Err: e, Miss: miss, Size: size, DiskPath: path}
		if nano != 0 {
			at := time.Unix(0, nano).UTC()
			r.Time = &at
		}
		checkResponse(t, r)
	})
}

func TestResponseDoesNotAllocate(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 7000, time.UTC)
	r := gocacheprog.Response{
		ID: 14, OutputID: make([]byte, 32), Size: 5, Time: &at, DiskPath: "/a/b",
	}
	buf := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() { buf = r.AppendTo(buf[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
