package cache

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

// harm is one thing done to one file of a store.
type harm struct {
	Kind     string
	File     string
	Off, Len int64  `json:",omitempty"`
	Other    string `json:",omitempty"` // for swap
}

func (h harm) String() string {
	switch h.Kind {
	case "delete":
		return "delete " + h.File
	case "swap":
		return "swap " + h.File + " and " + h.Other
	case "truncate":
		return fmt.Sprintf("truncate %s to %d", h.File, h.Off)
	}
	return fmt.Sprintf("%s %s at %d+%d", h.Kind, h.File, h.Off, h.Len)
}

func (h harm) apply(root string, rng *rand.Rand) error {
	name := filepath.Join(root, h.File)
	switch h.Kind {
	case "delete":
		return os.RemoveAll(name)
	case "truncate":
		return firstOf(os.Chmod(name, 0o600), os.Truncate(name, h.Off))
	case "swap":
		other := filepath.Join(root, h.Other)
		return firstOf(os.Rename(name, name+"~"), os.Rename(other, name), os.Rename(name+"~", other))
	}
	if err := os.Chmod(name, 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, h.Len)
	if _, err := f.ReadAt(b, h.Off); err != nil && err != io.EOF {
		return err
	}
	h.change(b, rng)
	_, err = f.WriteAt(b, h.Off)
	return err
}

func (h harm) change(b []byte, rng *rand.Rand) {
	switch h.Kind {
	case "bit":
		b[0] ^= 1 << rng.IntN(8)
	case "byte":
		b[0] = ^b[0]
	case "zero":
		clear(b)
	default: // random, extend
		copy(b, testkit.Bytes(rng, len(b)))
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// hits reports whether the harm may touch an entry's own bytes. Segments of the log that change names lose none.
func (h harm) hits(p *entryPlace) bool {
	if slices.Contains(p.files, h.File) || h.Kind == "swap" && slices.Contains(p.files, h.Other) {
		return true
	}
	if h.Kind == "delete" && (h.File == "log" || h.File == "blobs" && len(p.files) > 0) {
		return true
	}
	if p.segment != h.File {
		return false
	}
	switch h.Kind {
	case "delete":
		return true
	case "swap":
		return false
	case "truncate":
		return p.to > h.Off
	}
	return p.from < h.Off+h.Len && h.Off < p.to
}

// trial is what is done to one copy of a store before it has to survive.
type trial struct {
	Store *baseStore
	Harms []harm
	Seed  uint64
}

func (q *trial) hits(p *entryPlace) bool {
	return slices.ContainsFunc(q.Harms, func(h harm) bool { return h.hits(p) })
}

func (q *trial) hitsIndex() bool {
	return slices.ContainsFunc(q.Harms, func(h harm) bool { return strings.HasPrefix(h.File, "index") })
}

// group is the kind of the files that are harmed, and how.
func (q *trial) group() string {
	h := q.Harms[len(q.Harms)-1]
	kind := path.Ext(h.File)
	if kind == "" || strings.HasPrefix(h.File, "blobs/") {
		kind, _, _ = strings.Cut(h.File, "/")
	}
	if kind == "index" {
		kind = h.File
	}
	return fmt.Sprint(q.Store.State, " ", kind, " ", len(q.Harms))
}

// harmedPayloads is how many of the payload files are harmed, which are alike.
const harmedPayloads = 3

// trials lists what is done to copies of a store: everything to each of its files, and to log and FORMAT once more
// with the index deleted.
func trials(t *testing.T, store *baseStore) (list []*trial) {
	add := func(harms ...harm) {
		list = append(list, &trial{Store: store, Harms: harms})
	}
	noIndex := harm{Kind: "delete", File: "index"}
	add(noIndex)
	add(harm{Kind: "delete", File: "log"})
	add(harm{Kind: "delete", File: "blobs"})
	files := harmedFiles(t, store)
	for i, f := range files {
		for _, h := range fileHarms(&f, store.where) {
			add(h)
			if strings.HasPrefix(f.name, "log/") || f.name == formatName {
				add(noIndex, h)
			}
		}
		swap := harm{Kind: "swap", File: f.name, Other: files[(i+1)%len(files)].name}
		switch folder, _, _ := strings.Cut(f.name, "/"); {
		case !strings.HasPrefix(swap.Other, folder+"/"):
			continue
		case folder == "log":
			add(noIndex, swap)
		}
		add(swap)
	}
	return list
}

func harmedFiles(t *testing.T, store *baseStore) (files []treeFile) {
	payloads, tables := 0, 0
	for _, f := range readTree(t, store.Dir) {
		switch {
		case strings.HasPrefix(f.name, "blobs/"):
			if payloads++; payloads > harmedPayloads {
				continue
			}
		case path.Ext(f.name) == ".table":
			tables++
		}
		files = append(files, f)
	}
	if len(files) < 15 || tables == 0 {
		t.Fatalf("%s store of %d files and %d tables", store.State, len(files), tables)
	}
	return files
}

// fileHarms visits the fields of a file, its middle and its tail.
func fileHarms(f *treeFile, where []entryPlace) (list []harm) {
	size := int64(len(f.bytes))
	list = append(list, harm{Kind: "delete", File: f.name}, harm{Kind: "extend", File: f.name, Off: size, Len: 1},
		harm{Kind: "extend", File: f.name, Off: size, Len: 5000})
	if size == 0 {
		return list
	}
	for _, off := range fields(f, where) {
		list = append(list, harm{Kind: "bit", File: f.name, Off: off, Len: 1}, harm{Kind: "byte", File: f.name, Off: off, Len: 1})
	}
	for _, off := range []int64{0, size / 2, max(0, size-512)} {
		list = append(list, harm{Kind: "zero", File: f.name, Off: off, Len: min(512, size-off)},
			harm{Kind: "random", File: f.name, Off: off, Len: min(4096, size-off)})
	}
	for _, off := range []int64{0, 1, 64, size / 2, size - 512, size - 24, size - 1} {
		if 0 <= off && off < size {
			list = append(list, harm{Kind: "truncate", File: f.name, Off: off})
		}
	}
	return list
}

// fields lists where something stands in a file: the fields of headers and trailers of all formats, and those of a
// frame or block in the middle.
func fields(f *treeFile, where []entryPlace) []int64 {
	size := int64(len(f.bytes))
	list := []int64{0, 4, 8, 12, 16, 20, 24, 28, 32, 40, 44, 48, 60, 64, 68, 72, 80, 84, 88, size / 3, size / 2}
	for _, back := range []int64{64, 40, 32, 24, 20, 16, 13, 12, 9, 8, 6, 5, 4, 3, 2, 1} {
		list = append(list, size-back)
	}
	if p := middle(f, where); p != nil {
		// Header of a frame; then kind, key, and fields of the record.
		for _, off := range []int64{0, 4, 8, 16, 20, 24, 28, 60, 64, 92, 108, 116, 124, 132, 136} {
			list = append(list, p.from+off)
		}
		list = append(list, p.to-9, p.to-1)
	}
	if path.Ext(f.name) == ".table" {
		// Of each kind of page the header, the first record, and the first offset of one.
		const page = 4096
		pages := size / page
		for _, number := range []int64{0, pages / 2, pages - 4, pages - 3, pages - 2, pages - 1} {
			for _, off := range []int64{0, 7, 8, 16, 20, 21, 22, 24, 25, 27, 40, page - 2, page - 1} {
				list = append(list, number*page+off)
			}
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return slices.DeleteFunc(list, func(off int64) bool { return off < 0 || off >= size })
}

// middle returns the entry in the middle of a segment of the log.
func middle(f *treeFile, where []entryPlace) *entryPlace {
	var inside []*entryPlace
	for i := range where {
		if where[i].segment == f.name {
			inside = append(inside, &where[i])
		}
	}
	if len(inside) == 0 {
		return nil
	}
	slices.SortFunc(inside, func(a, b *entryPlace) int { return int(a.from - b.from) })
	return inside[len(inside)/2]
}
