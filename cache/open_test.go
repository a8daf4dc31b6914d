package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
)

func TestOpenRefusals(t *testing.T) {
	cases := map[string]struct {
		prepare func(dir string) error
		is      error
		says    string
	}{
		"newer version": {
			prepare: func(dir string) error {
				text := "larder 3 " + strings.Repeat("ab", 16)
				line := fmt.Sprintf("%s %016x\n", text, xxhash.Sum64String(text))
				return os.WriteFile(filepath.Join(dir, "FORMAT"), []byte(line), 0o666)
			},
			is: ErrVersion, says: "nothing was changed",
		},
		"root is a file": {
			prepare: func(dir string) error {
				return errors.Join(os.Remove(dir), os.WriteFile(dir, []byte("x"), 0o666))
			},
			says: "must be a folder",
		},
		"below a file": {
			prepare: func(dir string) error {
				return errors.Join(os.Remove(dir), os.Remove(filepath.Dir(dir)), os.WriteFile(filepath.Dir(dir), nil, 0o666))
			},
			says: "must be a folder",
		},
		"somebody's folder": {
			prepare: func(dir string) error { return os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o666) },
			says:    "name another root",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "parent", "root")
			if err := errors.Join(os.MkdirAll(dir, 0o777), c.prepare(dir)); err != nil {
				t.Fatal(err)
			}
			before := listing(t, filepath.Dir(filepath.Dir(dir)))
			_, err := Open(t.Context(), dir, nil)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("open: %v", err)
			}
			after := listing(t, filepath.Dir(filepath.Dir(dir)))
			if c.is == ErrVersion {
				after = strings.ReplaceAll(after, "parent/root/LOCK\n", "")
			}
			if after != before {
				t.Errorf("a refused root was changed:\n%s\nwas\n%s", after, before)
			}
		})
	}
}

// TestOpenNameless refuses the path of a host that has not set it: it would stand for the current folder.
func TestOpenNameless(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if _, err := Open(t.Context(), "", nil); err == nil || !strings.Contains(err.Error(), "no folder") {
		t.Errorf("open: %v", err)
	}
	if made := listing(t, dir); made != ".\n" {
		t.Errorf("made:\n%s", made)
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
		b.WriteString(path + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestOptionsRefused(t *testing.T) {
	for field, o := range map[string]*Options{
		"InlineBelow": {InlineBelow: maxInline + 1},
		"Durability":  {Durability: Always + 1},
	} {
		if _, err := Open(t.Context(), t.TempDir(), o); err == nil || !strings.Contains(err.Error(), "Options."+field) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestOpenBesideSessions makes a store in a folder where a front end has kept files since an open that failed.
func TestOpenBesideSessions(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sessions"), 0o777); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Close(t.Context())
}
