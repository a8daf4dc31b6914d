package content_test

import (
	"testing"

	"github.com/larderbuild/larder/internal/bench/content"
)

func TestKeysDiffer(t *testing.T) {
	seen := make(map[[32]byte]int)
	for i := range 10_000 {
		key := content.Key(i)
		if other, ok := seen[key]; ok {
			t.Fatalf("keys %d and %d are equal", other, i)
		}
		seen[key] = i
	}
}

func TestValuesDiffer(t *testing.T) {
	pool := content.NewPool(1 << 20)
	seen := make(map[string]int)
	for i := range 100_000 {
		value := pool.Value(i, 64)
		if other, ok := seen[string(value)]; ok || len(value) != 64 {
			t.Fatalf("values %d and %d are equal, or %d bytes long", other, i, len(value))
		}
		seen[string(value)] = i
	}
	if n := len(pool.Value(1<<24-1, 1<<20)); n != 1<<20 {
		t.Errorf("largest value has %d bytes", n)
	}
}

func TestValuesAreTheSameEveryRun(t *testing.T) {
	a, b := content.NewPool(10), content.NewPool(20)
	if string(a.Value(7, 10)) != string(b.Value(7, 10)) {
		t.Error("two pools give different values")
	}
}
