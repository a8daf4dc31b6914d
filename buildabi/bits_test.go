package buildabi_test

import (
	"bytes"
	"testing"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/internal/testkit"
)

// TestBits compares a bitset with a plain list of booleans.
func TestBits(t *testing.T) {
	rand := testkit.Rand(t)
	for n := range 200 {
		set, model := buildabi.NewBits(n), make([]bool, n)
		other, otherModel := buildabi.NewBits(n), make([]bool, n)
		for range n / 2 {
			i, j := rand.IntN(n), rand.IntN(n)
			model[i], otherModel[j] = true, true
			if !set.Set(i) || !other.Set(j) {
				t.Fatalf("no room for %d or %d of %d", i, j, n)
			}
		}
		set.Or(other)
		count := 0
		for i := range model {
			want := model[i] || otherModel[i]
			if want {
				count++
			}
			if set.Get(i) != want {
				t.Errorf("bit %d of %d is %v", i, n, !want)
			}
		}
		if len(set)%8 != 0 || set.Count() != count {
			t.Errorf("%d bytes for %d bits, %d on; want %d", len(set), n, set.Count(), count)
		}
	}
}

func TestBitsOutOfRange(t *testing.T) {
	set := buildabi.NewBits(64)
	for _, i := range []int{-1, 64, 1 << 40} {
		if set.Set(i) || set.Get(i) {
			t.Errorf("bit %d of 64 can be set", i)
		}
	}
	odd := buildabi.Bits{1, 0, 3}
	odd.Or(buildabi.Bits{2, 4, 0, 9})
	if !bytes.Equal(odd, []byte{3, 4, 3}) || odd.Count() != 5 {
		t.Errorf("%v, %d on", odd, odd.Count())
	}
}

func TestStatuses(t *testing.T) {
	for n := range 20 {
		s := buildabi.NewStatuses(n)
		for i := range n {
			if !s.Set(i, buildabi.Failure) || !s.Set(i, buildabi.StepStatus(i%4)) {
				t.Fatalf("no room for step %d of %d", i, n)
			}
		}
		for i := range n {
			if got := s.Get(i); got != buildabi.StepStatus(i%4) {
				t.Errorf("step %d of %d is %v", i, n, got)
			}
		}
	}
	s := buildabi.NewStatuses(4)
	for _, i := range []int{-1, 4} {
		if s.Set(i, buildabi.Success) || s.Get(i) != buildabi.Pending {
			t.Errorf("step %d of 4 can be set", i)
		}
	}
	if s.Set(0, 4) || s.Get(0) != buildabi.Pending {
		t.Error("a step can have status 4")
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		value interface{ String() string }
		want  string
	}{
		{buildabi.V1, "V1"}, {buildabi.V3, "V3"}, {buildabi.Version(7), "Version(7)"},
		{buildabi.FuzzInit, "fuzz_init"}, {buildabi.BuildStatus(9), "BuildStatus(9)"},
		{buildabi.Running, "wip"}, {buildabi.StepStatus(4), "StepStatus(4)"},
	} {
		if got := c.value.String(); got != c.want {
			t.Errorf("%#v is called %q, want %q", c.value, got, c.want)
		}
	}
}
