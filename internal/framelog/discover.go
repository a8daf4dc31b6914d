package framelog

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/larderbuild/larder/internal/vfs"
)

// found is one file of the folder, before it is known what it is.
type found struct {
	name     string
	nameSlot slot
	nameBase uint32
	slot     slot // what it is taken for
	base     uint32
	size     int64
	log      [16]byte
	state    headerState
	head     []byte // header and the first frame header, or less
}

// discover lists the files and puts segments together from them.
func (l *Log) discover() error {
	files, litter, err := readFiles(l.fs, l.dir)
	if err != nil {
		return err
	}
	l.litter = litter
	ours, bad, foreign := 0, []*found{}, []*found{}
	claimed := map[slot]*found{}
	for _, f := range files {
		switch {
		case f.state == headerNewer:
			return fmt.Errorf("%s: %w", f.name, ErrVersion)
		case f.state == headerBad:
			bad = append(bad, f)
		case f.log != l.opt.ID:
			foreign = append(foreign, f)
		default:
			ours++
			l.claim(claimed, f)
		}
	}
	if ours == 0 && len(foreign) > 0 {
		return fmt.Errorf("%s: %w", foreign[0].name, ErrForeign)
	}
	for _, f := range foreign {
		l.setAside(f, Foreign)
	}
	l.adopt(files, bad, claimed)
	l.build(claimed)
	l.next = max(1, l.opt.MinSegment)
	if n := len(l.segs); n > 0 {
		l.next = max(l.next, l.segs[n-1].id+1)
	}
	return nil
}

// readFiles reads the beginning of every file that has the name of a segment, and lists
// those that should have become one.
func readFiles(fsys vfs.FS, dir string) (files []*found, litter []string, err error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		name, tmp := strings.CutSuffix(e.Name(), unfinished)
		s, base, ok := parseFileName(name)
		switch {
		case !ok || e.IsDir():
		case tmp:
			litter = append(litter, e.Name())
		default:
			f := &found{name: name, nameSlot: s, nameBase: base}
			if err := f.read(fsys, filepath.Join(dir, name)); err != nil {
				return nil, nil, err
			}
			files = append(files, f)
		}
	}
	return files, litter, nil
}

// read fills in what the file says. A header that cannot be read is a bad one.
func (f *found) read(fsys vfs.FS, path string) error {
	file, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	fi, err := file.Stat()
	if err != nil {
		return err
	}
	f.size = fi.Size()
	f.head = make([]byte, headerSize+frameHeader)
	n, err := file.ReadAt(f.head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		n = 0
	}
	f.head = f.head[:n]
	h, state := parseFileHeader(f.head)
	f.state, f.log = state, h.log
	f.slot, f.base = slot{h.segment, h.generation}, h.base
	return nil
}

// claim takes f for what its header says. Of two that say the same, the one of that name is
// it.
func (l *Log) claim(claimed map[slot]*found, f *found) {
	other := claimed[f.slot]
	switch {
	case other == nil:
		claimed[f.slot] = f
	case f.nameSlot == f.slot:
		claimed[f.slot] = f
		l.setAside(other, Duplicate)
	default:
		l.setAside(f, Duplicate)
	}
}

// setAside remembers a file that is no part of the log.
func (l *Log) setAside(f *found, r Reason) {
	l.stray = append(l.stray, &Damage{Segment: f.nameSlot.segment, Reason: r, Err: errors.New(f.name)})
}

// adopt finds a place for each file with a bad header: one that a file name speaks of and no
// header claims, its own rather than another, and one for which its first frame holds rather
// than any.
func (l *Log) adopt(files, bad []*found, claimed map[slot]*found) {
	for _, probe := range []bool{true, false} {
		for _, f := range bad {
			if claimed[f.slot] == f {
				continue
			}
			for _, of := range append([]*found{f}, files...) {
				if claimed[of.nameSlot] == nil && (!probe || l.fits(f, of)) {
					f.slot, f.base = of.nameSlot, of.nameBase
					claimed[f.slot] = f
					break
				}
			}
		}
	}
	for _, f := range bad {
		if claimed[f.slot] != f {
			l.setAside(f, BadHeader)
		}
	}
}

// fits reports whether the first frame of f holds in the place that the name of of speaks of.
func (l *Log) fits(f, of *found) bool {
	if len(f.head) < headerSize+frameHeader {
		return false
	}
	seed := newSeed(l.opt.ID, of.nameSlot.segment)
	_, ok := seed.parseFrameHeader(f.head[headerSize:], of.nameBase, l.opt.MaxBody)
	return ok
}

// build makes segments of the files. Files of a higher generation cover those of lower ones.
func (l *Log) build(claimed map[slot]*found) {
	var order []*found
	for _, f := range claimed {
		order = append(order, f)
	}
	slices.SortFunc(order, func(a, b *found) int {
		return cmp.Or(cmp.Compare(a.slot.segment, b.slot.segment),
			cmp.Compare(a.slot.generation, b.slot.generation))
	})
	for _, f := range order {
		if n := len(l.segs); n == 0 || l.segs[n-1].id != f.slot.segment {
			l.segs = append(l.segs, &segment{id: f.slot.segment, seed: newSeed(l.opt.ID, f.slot.segment)})
		}
		s := l.segs[len(l.segs)-1]
		s.generation = f.slot.generation
		p := &part{name: f.name, base: int64(f.base), badHeader: f.state == headerBad}
		for _, old := range s.cover(p) {
			s.covered = append(s.covered, old.name)
		}
		s.end = min(int64(f.base)+max(0, f.size-headerSize), maxOffset)
	}
}

// Identify returns the ID of the log in dir: the one that most headers name. It reports false
// when no header is intact. A newer format is [ErrVersion].
func Identify(fsys vfs.FS, dir string) (id [16]byte, ok bool, err error) {
	files, _, err := readFiles(fsys, dir)
	if err != nil {
		return id, false, wrap("identify", dir, err)
	}
	votes := map[[16]byte]int{}
	for _, f := range files {
		switch f.state {
		case headerNewer:
			return [16]byte{}, false, wrap("identify", dir, fmt.Errorf("%s: %w", f.name, ErrVersion))
		case headerOK:
			votes[f.log]++
			if votes[f.log] > votes[id] {
				id = f.log
			}
		}
	}
	return id, len(votes) > 0, nil
}
