package report

import (
	"math"
	"strconv"
)

// number prints a figure with three or four significant digits and without an exponent.
func number(v float64) string {
	size := math.Abs(v)
	decimals := 0
	switch {
	case size == 0 || size >= 100:
	case size >= 10:
		decimals = 1
	case size >= 1:
		decimals = 2
	default:
		decimals = 3
	}
	return group(strconv.FormatFloat(v, 'f', decimals, 64))
}

// group puts commas between thousands of a number without decimals.
func group(s string) string {
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	if len(s) <= 3 || s[len(s)-3] == '.' || s[len(s)-2] == '.' || s[1] == '.' {
		return sign + s
	}
	out := make([]byte, 0, len(s)+len(s)/3)
	for i := range len(s) {
		if i > 0 && (len(s)-i)%3 == 0 {
			out = append(out, ',')
		}
		out = append(out, s[i])
	}
	return sign + string(out)
}
