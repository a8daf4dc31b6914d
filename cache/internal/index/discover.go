package index

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/larderbuild/larder/internal/vfs"
)

// span is a run of changes, which are calls of Apply and counted from the first. A table holds one.
type span struct{ first, last uint64 }

// String serves errors.
func (s span) String() string { return fmt.Sprintf("changes %d to %d", s.first, s.last) }

// file returns the name of the file of the table that holds s.
func (s span) file() string { return fmt.Sprintf("%016x-%016x.table", s.first, s.last) }

// parseFile accepts exactly the names that file makes.
func parseFile(name string) (s span, ok bool) {
	text, ok := strings.CutSuffix(name, ".table")
	from, to, _ := strings.Cut(text, "-")
	var err1, err2 error
	s.first, err1 = strconv.ParseUint(from, 16, 64)
	s.last, err2 = strconv.ParseUint(to, 16, 64)
	return s, ok && err1 == nil && err2 == nil && s.first <= s.last && name == s.file()
}

// discover opens the tables of a folder, oldest first: together they hold all changes, each of them
// once. Files that a crash has left beside them are removed.
func discover(fsys vfs.FS, dir string) ([]*table, error) {
	spans, err := list(fsys, dir)
	if err != nil {
		return nil, err
	}
	tables, left, err := openAll(fsys, dir, spans)
	if err == nil {
		err = removeLeft(fsys, dir, tables, left)
	}
	if err != nil {
		return nil, errors.Join(err, releaseAll(tables))
	}
	return tables, nil
}

// openAll opens the tables that count, and says which files a crash has left beside them: those of
// a merge that did not end, or that a merge has replaced, and the newest when its writer did not
// come to its end. Where the others have a gap, changes were lost.
func openAll(fsys vfs.FS, dir string, spans []span) (tables []*table, left []span, err error) {
	next := uint64(0)
	for _, s := range spans {
		if s.last < next {
			left = append(left, s)
			continue
		}
		if s.first != next {
			return tables, nil, damagedf("%v are missing", span{next, s.first - 1})
		}
		t, err := openTable(fsys, dir, s)
		if errors.Is(err, errTorn) {
			left = append(left, s)
			continue
		}
		if err != nil {
			return tables, nil, fmt.Errorf("%v: %w", s, err)
		}
		tables = append(tables, t)
		next = s.last + 1
	}
	return tables, left, nil
}

// removeLeft removes files that a crash has left. They may be durable and the tables that replaced
// them not yet, if it was a kill that came between.
func removeLeft(fsys vfs.FS, dir string, tables []*table, left []span) error {
	if len(left) == 0 {
		return nil
	}
	if err := syncTables(fsys, dir, tables...); err != nil {
		return err
	}
	for _, s := range left {
		if err := fsys.Remove(filepath.Join(dir, s.file())); err != nil {
			return err
		}
	}
	return nil
}

// list returns the spans of a folder, which is made when it is missing: by their start, the widest
// first.
func list(fsys vfs.FS, dir string) ([]span, error) {
	if _, err := vfs.MakeDir(fsys, dir); err != nil {
		return nil, err
	}
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, damageOf(err)
	}
	var spans []span
	for _, e := range entries {
		if s, ok := parseFile(e.Name()); ok {
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last))
	})
	return spans, nil
}

func releaseAll(tables []*table) error {
	var errs []error
	for _, t := range tables {
		errs = append(errs, t.release())
	}
	return errors.Join(errs...)
}
