package lifecycle_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc/lifecycle"
)

func TestBackoffDoubles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "failed")
	now := time.Now()
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300} {
		if err := lifecycle.AddFailure(path, now, errors.New([]string{"first", "later"}[min(i, 1)])); err != nil {
			t.Fatal(err)
		}
		count, cause, wait := lifecycle.Failures(path, now)
		if count != i+1 || cause != "first" || wait != want*time.Second {
			t.Errorf("after %d failures: %d because of %q, wait %v, want %v s", i+1, count, cause, wait, want)
		}
	}
	for range 100 { // beyond what a shift could hold
		lifecycle.AddFailure(path, now, errors.New("again"))
	}
	if _, _, wait := lifecycle.Failures(path, now); wait != lifecycle.BackoffMax {
		t.Errorf("after 112 failures: wait %v", wait)
	}
}

// TestBackoffClockJump sets the clock after a failure: nobody waits longer than was meant.
func TestBackoffClockJump(t *testing.T) {
	path := filepath.Join(t.TempDir(), "failed")
	now := time.Now()
	if err := lifecycle.AddFailure(path, now, errors.New("broken")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ after, want time.Duration }{
		"at once": {0, time.Second}, "half": {time.Second / 2, time.Second / 2}, "over": {2 * time.Second, 0},
		"forward": {24 * 365 * time.Hour, 0}, "back": {-24 * 365 * time.Hour, 0},
		"a little back": {-time.Second, 0},
	} {
		if _, _, wait := lifecycle.Failures(path, now.Add(c.after)); wait != c.want {
			t.Errorf("%s: wait %v, want %v", name, wait, c.want)
		}
	}
}

func TestBackoffFileDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "failed")
	if count, _, wait := lifecycle.Failures(path, time.Now()); count != 0 || wait != 0 {
		t.Errorf("without a file: %d, %v", count, wait)
	}
	if err := lifecycle.AddFailure(path, time.Now(), errors.New("a\nb")); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, cause, _ := lifecycle.Failures(path, time.Now()); cause != "a\nb" {
		t.Errorf("cause %q", cause)
	}
	for n := range whole {
		os.WriteFile(path, whole[:n], 0o600)
		if count, _, wait := lifecycle.Failures(path, time.Now()); count != 0 || wait != 0 {
			t.Errorf("the first %d bytes: %d, %v", n, count, wait)
		}
	}
}
