package stat_test

import (
	"slices"
	"testing"

	"github.com/larderbuild/larder/internal/bench/stat"
)

func TestOf(t *testing.T) {
	tests := []struct {
		name    string
		samples []float64
		want    stat.Summary
	}{
		{"none", nil, stat.Summary{}},
		{"one", []float64{3}, stat.Summary{N: 1, Median: 3, Min: 3, Max: 3}},
		{"odd", []float64{9, 1, 4}, stat.Summary{N: 3, Median: 4, Min: 1, Max: 9}},
		{"even", []float64{9, 1, 4, 2}, stat.Summary{N: 4, Median: 3, Min: 1, Max: 9}},
		{"negative", []float64{-2, -8}, stat.Summary{N: 2, Median: -5, Min: -8, Max: -2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := stat.Of(tt.samples); got != tt.want {
				t.Errorf("Of(%v) = %+v, want %+v", tt.samples, got, tt.want)
			}
		})
	}
}

func TestOfLeavesOrder(t *testing.T) {
	samples := []float64{3, 1, 2}
	stat.Of(samples)
	if want := []float64{3, 1, 2}; !slices.Equal(samples, want) {
		t.Errorf("samples became %v, want %v", samples, want)
	}
}

func TestMinus(t *testing.T) {
	got := stat.Minus([]float64{5, 7, 9}, []float64{1, 2})
	if want := []float64{4, 5}; !slices.Equal(got, want) {
		t.Errorf("Minus = %v, want %v", got, want)
	}
}
