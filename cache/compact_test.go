package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
)

// TestCompactBesideDamage has one damaged segment among others that are worth compacting.
func TestCompactBesideDamage(t *testing.T) {
	ctx := t.Context()
	root := t.TempDir()
	s, err := open(ctx, root, mustDefaults(t, nil), osSeams(4<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(ctx)
	for version := range 2 { // the first is dead afterwards, but for every fifth entry
		for i := range 100 {
			if version == 1 && i%5 == 0 {
				continue
			}
			if err := putText(s, fmt.Sprint("k", i), fmt.Sprint("version ", version, " of ", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := s.flog.Segments()
	name := filepath.Join(root, "log", fmt.Sprintf("%016x.log", before[0].ID))
	if err := (harm{Kind: "zero", File: ".", Off: before[0].Size / 2, Len: 200}).apply(name, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.compact(ctx); !errors.Is(err, framelog.ErrDamaged) {
		t.Errorf("compaction over a damaged segment: %v", err)
	}
	after := s.flog.Segments()
	if after[0].ID != before[0].ID || after[1].ID <= before[3].ID {
		t.Errorf("segments before %+v and after %+v", before, after)
	}
	if _, err := os.Lstat(name); err != nil {
		t.Error(err)
	}
	if err := s.compact(ctx); err != nil {
		t.Errorf("the damaged segment is tried again: %v", err)
	}
	lost := 0
	for i := range 100 {
		got, err := getText(s, fmt.Sprint("k", i))
		if want := fmt.Sprint("version ", min(1, i%5), " of ", i); got == "" && i%5 == 0 {
			lost++
		} else if err != nil || got != want {
			t.Errorf("%d: %q, %v", i, got, err)
		}
	}
	if lost > 2 {
		t.Errorf("%d entries are lost", lost)
	}
}
