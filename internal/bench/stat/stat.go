// Package stat holds the few statistics that benchmark rows are made of.
package stat

import "slices"

// Summary is what a row says about one side's samples. The zero value stands for no samples.
type Summary struct {
	N      int     // samples
	Median float64 // mean of the two middle samples when N is even
	Min    float64
	Max    float64
}

// Of summarizes samples, which it neither changes nor keeps.
func Of(samples []float64) Summary {
	n := len(samples)
	if n == 0 {
		return Summary{}
	}
	sorted := slices.Sorted(slices.Values(samples))
	return Summary{
		N:      n,
		Median: (sorted[(n-1)/2] + sorted[n/2]) / 2,
		Min:    sorted[0],
		Max:    sorted[n-1],
	}
}

// Minus returns a[i]-b[i] for each i below the shorter length. Samples of one interleaved round
// share that round's noise, so the median of differences is steadier than the difference of medians.
func Minus(a, b []float64) []float64 {
	d := make([]float64, min(len(a), len(b)))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	return d
}
