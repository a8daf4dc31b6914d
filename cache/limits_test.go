package cache

import (
	"errors"
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
)

// An artifact's record stays small, and no value is larger than what the index takes.
func TestSizeBounds(t *testing.T) {
	if recordMaxBytes != 128 {
		t.Errorf("a record may take %d bytes, not 128", recordMaxBytes)
	}
	for _, s := range shapes() {
		b := golden(t, s.name)
		if strings.HasPrefix(s.name, "record-") && len(b) > 128 {
			t.Errorf("%s has %d bytes", s.name, len(b))
		}
		if s.key != nil && (len(b) > index.MaxValue || len(s.key) > index.MaxKey) {
			t.Errorf("%s has a key of %d and a value of %d bytes", s.name, len(s.key), len(b))
		}
		if strings.HasPrefix(s.name, "frame-put-") {
			var f frame
			if err := parseFrame(b, &f); err != nil || putFrameLen(&f.rec, f.factCount(), len(f.area)) != len(b) {
				t.Errorf("%s has %d bytes, not what putFrameLen says: %v", s.name, len(b), err)
			}
		}
	}
	if b := golden(t, "record-longest"); len(b) != recordMaxBytes {
		t.Errorf("the longest record has %d bytes", len(b))
	}
}

// TestRecordExtremes holds that the ends of every field's range come back.
func TestRecordExtremes(t *testing.T) {
	key := indexKeyOf(prefixArtifact, 1)
	for name, r := range map[string]record{
		"least": {exitCode: math.MinInt32, cost: math.MinInt64, created: math.MinInt64},
		"most": {exitCode: math.MaxUint32, cost: math.MaxInt64, created: math.MaxInt64, lastUse: math.MaxUint32,
			uses: math.MaxUint32, frameLen: math.MaxUint32, blocks: math.MaxUint32, outputs: math.MaxUint32,
			mode: math.MaxUint32, size: math.MaxInt64, content: math.MaxInt64, xxh: math.MaxUint64},
		"table": {flags: flagTable, size: math.MaxInt64, content: 0},
	} {
		var got record
		if err := parseRecord(key, appendRecord(nil, key, &r), &got); err != nil || got != r {
			t.Errorf("%s: %+v, want %+v: %v", name, got, r, err)
		}
	}
	for _, mode := range []fs.FileMode{0, 0o777, fs.ModeSymlink | 0o777, fs.ModeDir} {
		if got := fs.FileMode(uint32(mode)); got != mode {
			t.Errorf("mode %v becomes %v", mode, got)
		}
	}
}

// The table has 16 bits for the length of a name. What can be added is far below.
func TestTableNames(t *testing.T) {
	if maxName > math.MaxUint16 {
		t.Errorf("a name may have %d bytes, more than its length can say", maxName)
	}
	for _, n := range []int{0, 1, maxName, math.MaxUint16} {
		want := []item{{name: strings.Repeat("n", n), target: "t"}, {name: "n", target: strings.Repeat("t", n)}}
		items, err := parseTable(appendTable(nil, want))
		if err != nil || len(items) != 2 || items[0] != want[0] || items[1] != want[1] {
			t.Errorf("names of %d bytes do not come back: %v", n, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	s, _ := openMem(t, nil)
	for _, code := range []int{0, 1, -1, 255, math.MaxInt32, math.MinInt32, math.MaxUint32} {
		d := s.NewDraft()
		d.SetStreams(nil, nil, code)
		key := NewKey("exit").Int(int64(code)).Sum()
		if err := s.Put(t.Context(), key, d); err != nil {
			t.Errorf("%d: %v", code, err)
			continue
		}
		a, err := s.Get(t.Context(), key)
		if err != nil || a.ExitCode() != code || a.Entry().ExitCode != code {
			t.Errorf("%d: %+v, %v", code, a, err)
			continue
		}
		a.Release()
	}
	for _, code := range []int64{math.MinInt32 - 1, math.MaxInt64, 1 << 32} {
		d := s.NewDraft()
		d.SetStreams(nil, nil, int(code))
		if err := s.Put(t.Context(), NewKey("exit").Sum(), d); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// TestSealedSizes adds up what no disk holds. A sum that does not fit must not come back as a small one.
func TestSealedSizes(t *testing.T) {
	s, _ := openMem(t, nil)
	for _, c := range []struct {
		name   string
		sizes  []int64
		blocks uint32
		err    error
	}{
		{"nothing", nil, 0, nil},
		{"an empty file", []int64{0}, 1, nil},
		{"a byte", []int64{1}, 2, nil},
		{"a block", []int64{4096}, 2, nil},
		{"a block and a byte", []int64{4097}, 3, nil},
		{"three", []int64{0, 1, 8192}, 6, nil},
		{"half of the blocks", []int64{1 << 43}, 1<<31 + 1, nil},
		{"all blocks", []int64{1 << 43, 1 << 43}, math.MaxUint32, nil},
		{"more", []int64{1 << 60, 1 << 60}, math.MaxUint32, nil},
		{"the most", []int64{math.MaxInt64}, math.MaxUint32, nil},
		{"one too many", []int64{math.MaxInt64, 1}, 0, ErrTooLarge},
		{"twice the most", []int64{math.MaxInt64, math.MaxInt64}, 0, ErrTooLarge},
		{"around and back", []int64{math.MaxInt64, math.MaxInt64, 3}, 0, ErrTooLarge},
	} {
		d := s.NewDraft()
		var want int64
		for _, size := range c.sizes {
			d.items = append(d.items, item{name: "much", size: size, offset: noOffset})
			want += size
		}
		var r record
		err := d.seal(&r)
		if !errors.Is(err, c.err) || err == nil && (r.size != want || r.blocks != c.blocks) {
			t.Errorf("%s: size %d, %d blocks, want %d, %d: %v", c.name, r.size, r.blocks, want, c.blocks, err)
		}
		d.Discard()
	}
}

// TestLargestFrame holds that the log takes the frame of the largest draft.
func TestLargestFrame(t *testing.T) {
	const logTakes = 64 << 20 // the log's own default
	var r record
	streams := 3
	area := maxInlineTotal + 2*maxInline
	if n := putFrameLen(&r, maxOutputs+streams+1, area) + recordMaxName; n > logTakes {
		t.Errorf("a frame may have %d bytes, more than %d", n, logTakes)
	}
}

// Records count seconds in 32 bits without a sign. A clock beside their range must not make an entry young for ever.
func TestClocksOutOfRange(t *testing.T) {
	for name, c := range map[string]struct {
		now  time.Time
		want int64
	}{
		"epoch":           {time.Unix(0, 0), 0},
		"before":          {time.Unix(-1, 0), 0},
		"long before":     {time.Date(1901, 1, 1, 0, 0, 0, 0, time.UTC), 0},
		"last second":     {time.Unix(math.MaxUint32, 0), math.MaxUint32},
		"after":           {time.Unix(math.MaxUint32+1, 0), math.MaxUint32},
		"long after":      {time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), math.MaxUint32},
		"an ordinary day": {time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 1772323200},
	} {
		s, _ := openMem(t, &Options{Now: func() time.Time { return c.now }})
		if err := putText(s, "k", "multi"); err != nil {
			t.Fatal(err)
		}
		a, err := s.Get(t.Context(), nameKey("k"))
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Entry().LastUse.Unix(); got != c.want {
			t.Errorf("%s: last use %d, want %d", name, got, c.want)
		}
		out, err := a.Output("more/second")
		if err != nil {
			t.Fatal(err)
		}
		if p, ok, err := s.payload(&out.Digest); !ok || err != nil || int64(p.verified) != c.want {
			t.Errorf("%s: verified %d, want %d: %v", name, p.verified, c.want, err)
		}
		a.Release()
	}
}
