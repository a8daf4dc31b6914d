package testkit_test

import (
	"bytes"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

func TestRandRepeats(t *testing.T) {
	t.Setenv("LARDER_TEST_SEED", "42")
	a, b := testkit.Bytes(testkit.Rand(t), 1001), testkit.Bytes(testkit.Rand(t), 1001)
	if len(a) != 1001 || !bytes.Equal(a, b) {
		t.Errorf("one seed gave %d bytes and %d other bytes", len(a), len(b))
	}
	t.Setenv("LARDER_TEST_SEED", "43")
	if c := testkit.Bytes(testkit.Rand(t), 1001); bytes.Equal(a, c) {
		t.Error("two seeds gave the same bytes")
	}
}

func TestRandDiffers(t *testing.T) {
	t.Setenv("LARDER_TEST_SEED", "")
	if a, b := testkit.Rand(t).Uint64(), testkit.Rand(t).Uint64(); a == b {
		t.Errorf("two runs without a seed both gave %d", a)
	}
}

func TestBytes(t *testing.T) {
	r := testkit.Rand(t)
	for _, n := range []int{0, 1, 7, 8, 9, 4096} {
		p := testkit.Bytes(r, n)
		if len(p) != n {
			t.Errorf("%d bytes, want %d", len(p), n)
		}
		if zeros := bytes.Count(p, []byte{0}); n > 100 && zeros > n/50 {
			t.Errorf("%d of %d bytes are zero", zeros, n)
		}
	}
}
