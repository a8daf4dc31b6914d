package cache

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
)

// TestDraftOutlivesStore closes a store that has an unfinished draft. What the draft brought in goes with
// the store, and the draft can do no harm to who owns the root after that.
func TestDraftOutlivesStore(t *testing.T) {
	big := strings.Repeat("content ", 1000)
	for name, before := range map[string]func(*Store) error{
		"open": func(*Store) error { return nil },
		"parked": func(s *Store) error {
			if !s.park() {
				return errors.New("not parked")
			}
			return nil
		},
		"content put and deleted": func(s *Store) error {
			return errors.Join(putText(s, "other", big), s.Delete(t.Context(), nameKey("other")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := uncleanStore(t, dir, nil)
			d := s.NewDraft()
			if err := d.Add("out", 0o644, strings.NewReader(big)); err != nil {
				t.Fatal(err)
			}
			if err := before(s); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if list := payloadFiles(t, dir); len(list) != 0 {
				t.Errorf("files stay: %q", list)
			}
			next := uncleanStore(t, dir, nil)
			defer next.Close(t.Context())
			if err := putText(next, "k", big); err != nil {
				t.Fatal(err)
			}
			s.openIndex = func() (index.Index, error) {
				t.Error("the index was opened again")
				return nil, ErrClosed
			}
			d.Discard()
			if err := s.Put(t.Context(), nameKey("k"), d); !errors.Is(err, ErrClosed) {
				t.Errorf("put: %v", err)
			}
			if got, err := getText(next, "k"); err != nil || got != big {
				t.Errorf("next owner's entry: %.20q, %v", got, err)
			}
		})
	}
}

func payloadFiles(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "blobs", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	tmp, err := filepath.Glob(filepath.Join(dir, "tmp", "*", "*"))
	if err != nil || len(tmp) != 0 {
		t.Errorf("temporary files stay: %v, %v", tmp, err)
	}
	return list
}

// TestDraftOutlivesIndex closes a parked store whose index cannot be opened just then: a draft must not open it later, when
// the root may have another owner.
func TestDraftOutlivesIndex(t *testing.T) {
	s, _ := openMem(t, nil)
	d := s.NewDraft()
	if err := d.Add("out", 0o644, strings.NewReader(strings.Repeat("content ", 1000))); err != nil {
		t.Fatal(err)
	}
	if !s.park() {
		t.Fatal("not parked")
	}
	s.openIndex = func() (index.Index, error) { return nil, errIO }
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.openIndex = func() (index.Index, error) {
		t.Error("the index is opened after the close")
		return index.NewMem(), nil
	}
	d.Discard()
}
