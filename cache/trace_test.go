package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
)

func TestTrace(t *testing.T) {
	k := newKitchen(t, nil)
	var b bytes.Buffer
	stop := k.Trace(&b)
	d := k.NewDraft()
	d.SetCost(1500 * time.Microsecond)
	k.must(d.Add("secret-name", 0o644, strings.NewReader(strings.Repeat("x", 5000))))
	k.must(k.Put(t.Context(), keyOf("secret-key"), d))
	k.get("secret-key").Release()
	k.miss("absent")
	k.must(k.Delete(t.Context(), keyOf("secret-key")))
	k.must(stop())
	k.put("untraced", "x")

	text := b.String()
	head, rest, _ := strings.Cut(text, "\n")
	lines := strings.Split(strings.TrimSuffix(rest, "\n"), "\n")
	if head != "larder-trace 1" || len(lines) != 4 {
		t.Fatalf("trace of four verbs:\n%s", text)
	}
	format := regexp.MustCompile(`^(\d+) (put|hit|miss|delete) ([0-9a-f]{16}) (\d+) (\d+) (\d+)$`)
	for i, want := range []string{"put 5000 3 1500", "hit 5000 3 1500", "miss 0 0 0", "delete 0 0 0"} {
		f := format.FindStringSubmatch(lines[i])
		if f == nil || fmt.Sprintf("%s %s %s %s", f[2], f[4], f[5], f[6]) != want {
			t.Errorf("line %q, want %q", lines[i], want)
		}
	}
	hash := func(i int) string { return strings.Fields(lines[i])[2] }
	if hash(0) != hash(1) || hash(0) != hash(3) || hash(0) == hash(2) {
		t.Errorf("hashes of one key differ, or those of two agree:\n%s", text)
	}
	for _, secret := range []string{"secret", keyOf("secret-key").String()[:16], k.root} {
		if strings.Contains(text, secret) {
			t.Errorf("the trace tells %q:\n%s", secret, text)
		}
	}
	var again bytes.Buffer
	stop = k.Trace(&again)
	k.miss("absent")
	k.must(stop())
	if strings.Contains(again.String(), hash(2)) {
		t.Error("two traces hash a key alike")
	}
}

// full is a writer that fails.
type full struct{}

var errFullWriter = errors.New("writer is full")

func (full) Write([]byte) (int, error) { return 0, errFullWriter }

// TestTraceOfFailingWriter fails no verb, and tells of the error at the end, however the trace ends.
func TestTraceOfFailingWriter(t *testing.T) {
	for name, end := range map[string]func(s *cache.Store, stop func() error) error{
		"stopped": func(_ *cache.Store, stop func() error) error { return stop() },
		"stopped twice": func(_ *cache.Store, stop func() error) error {
			stop()
			return stop()
		},
		"ended by another": func(s *cache.Store, stop func() error) error {
			defer s.Trace(io.Discard)()
			return stop()
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKitchen(t, nil)
			stop := k.Trace(full{})
			for i := range 300 { // more than a buffer
				k.put(fmt.Sprint(i%3), "x")
				k.want(fmt.Sprint(i%3), "x")
			}
			if err := end(k.Store, stop); !errors.Is(err, errFullWriter) {
				t.Errorf("stop: %v", err)
			}
		})
	}
}
