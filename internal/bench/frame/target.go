package frame

import (
	"fmt"
	"strconv"
)

// Target is the bound that a row is held to. The zero value is no bound.
type Target struct {
	bound   float64
	atLeast bool
	ofRatio bool
	set     bool
}

// AtMost bounds our own figure from above, in the row's unit.
func AtMost(bound float64) Target { return Target{bound: bound, set: true} }

// AtLeast bounds our own figure from below, in the row's unit.
func AtLeast(bound float64) Target { return Target{bound: bound, atLeast: true, set: true} }

// RatioAtMost bounds our figure over the peer's from above.
func RatioAtMost(bound float64) Target { return Target{bound: bound, ofRatio: true, set: true} }

// RatioAtLeast bounds our figure over the peer's from below.
func RatioAtLeast(bound float64) Target {
	return Target{bound: bound, atLeast: true, ofRatio: true, set: true}
}

// Met reports whether the figures hold the bound. Without a bound it is true.
func (t Target) Met(ours, ratio float64) bool {
	if !t.set {
		return true
	}
	figure := ours
	if t.ofRatio {
		figure = ratio
	}
	if t.atLeast {
		return figure >= t.bound
	}
	return figure <= t.bound
}

// String is the bound in short: "<=50", ">=0.9x", or "" without one.
func (t Target) String() string {
	if !t.set {
		return ""
	}
	sign, unit := "<=", ""
	if t.atLeast {
		sign = ">="
	}
	if t.ofRatio {
		unit = "x"
	}
	return fmt.Sprintf("%s%s%s", sign, strconv.FormatFloat(t.bound, 'f', -1, 64), unit)
}
