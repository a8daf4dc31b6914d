package index

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/larderbuild/larder/internal/vfs"
)

// tableName names the file of the table of some changes: calls of Apply, counted from the first.
func tableName(first, last uint64) string { return fmt.Sprintf("%016x-%016x.table", first, last) }

// span is the changes of a file by its name.
type span struct{ first, last uint64 }

func parseTableName(name string) (s span, ok bool) {
	text, ok := strings.CutSuffix(name, ".table")
	from, to, _ := strings.Cut(text, "-")
	var err1, err2 error
	s.first, err1 = strconv.ParseUint(from, 16, 64)
	s.last, err2 = strconv.ParseUint(to, 16, 64)
	return s, ok && err1 == nil && err2 == nil && s.first <= s.last && name == tableName(s.first, s.last)
}

// discover opens the tables of a folder, oldest first: together they hold all changes, each of them once. Files that a crash
// has left beside them are removed: those of a merge that did not end, or that a merge has replaced, and the newest when
// its writer did not come to its end. Where the others have a gap, changes were lost.
func discover(fsys vfs.FS, dir string) ([]*table, error) {
	spans, err := list(fsys, dir)
	if err != nil {
		return nil, err
	}
	var tables []*table
	var left []span
	next := uint64(0)
	for _, s := range spans {
		if s.last < next {
			left = append(left, s)
			continue
		}
		if s.first != next {
			err = damagedf("changes %d to %d are missing", next, s.first)
			break
		}
		t, terr := openTable(fsys, dir, s.first, s.last)
		if errors.Is(terr, errTorn) {
			left = append(left, s)
			continue
		}
		if err = terr; err != nil {
			err = fmt.Errorf("changes %d to %d: %w", s.first, s.last, err)
			break
		}
		tables = append(tables, t)
		next = s.last + 1
	}
	if len(left) > 0 && err == nil { // of durable tables, perhaps, that a kill let be merged and not yet synced
		err = syncTables(fsys, dir, tables...)
	}
	for _, s := range left {
		if err == nil {
			err = fsys.Remove(filepath.Join(dir, tableName(s.first, s.last)))
		}
	}
	if err != nil {
		return nil, errors.Join(err, releaseAll(tables))
	}
	return tables, nil
}

// list returns the spans of a folder, which is made when it is missing: by their start, the widest first.
func list(fsys vfs.FS, dir string) ([]span, error) {
	if err := fsys.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, damageOf(err)
	}
	var spans []span
	for _, e := range entries {
		if s, ok := parseTableName(e.Name()); ok {
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last)) })
	return spans, nil
}

func releaseAll(tables []*table) error {
	var errs []error
	for _, t := range tables {
		errs = append(errs, t.release())
	}
	return errors.Join(errs...)
}
