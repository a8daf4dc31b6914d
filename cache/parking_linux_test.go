package cache

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// resident sums up what of the mapped files in dir is in memory, in KiB.
func resident(t *testing.T, dir string) (kib int) {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	within := false
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch {
		case strings.Contains(name, "-"): // a mapping begins
			within = strings.Contains(lines.Text(), dir)
		case within && name == "Rss":
			n := 0
			if _, err := fmt.Sscan(value, &n); err != nil {
				t.Fatal(err)
			}
			kib += n
		}
	}
	return kib
}

// TestParkedTakesNoMemory reads entries, so that the log and the index are mapped: parked, nothing of them is resident.
func TestParkedTakesNoMemory(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), dir, &Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	const n = 2000
	read := func() {
		t.Helper()
		for i := range n {
			if got, err := getText(s, fmt.Sprint(i)); !strings.HasPrefix(got, "text ") || err != nil {
				t.Fatalf("%.20q, %v", got, err)
			}
		}
	}
	for i := range n {
		if err := putText(s, fmt.Sprint(i), strings.Repeat("text ", 190)); err != nil {
			t.Fatal(err)
		}
	}
	flushNow(t, s)
	read()
	if n := resident(t, dir); n < 2000 {
		t.Errorf("%d KiB are resident of what was read", n)
	}
	if !s.park() {
		t.Fatal("not parked")
	}
	if n := resident(t, dir); n > 0 {
		t.Errorf("parked, %d KiB are resident", n)
	}
	read()
}
