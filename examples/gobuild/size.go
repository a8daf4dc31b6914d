package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units of sizes on the command line; the long ones first, because they end alike.
var units = []struct {
	name  string
	bytes float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"b", 1},
}

// size is a flag value: bytes, with or without a unit.
type size int64

// String formats the number for a usage text; nothing stands for no number.
func (s *size) String() string {
	if *s <= 0 {
		return ""
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Set parses a number of bytes.
func (s *size) Set(text string) error {
	number, unit := strings.ToLower(strings.ReplaceAll(text, " ", "")), 1.0
	for _, u := range units {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = n, u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n >= 0) || n*unit > math.MaxInt64/2 { // not n < 0: neither is NaN
		return errors.New("not a number of bytes")
	}
	*s = size(n * unit)
	return nil
}

// formatBytes is for people: three digits and a decimal unit.
func formatBytes(n int64) string {
	names := []string{"B", "kB", "MB", "GB", "TB"}
	v, i := float64(n), 0
	for v >= 999.5 && i < len(names)-1 {
		v, i = v/1e3, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	decimals := 2
	switch {
	case v >= 99.95:
		decimals = 0
	case v >= 9.995:
		decimals = 1
	}
	return strconv.FormatFloat(v, 'f', decimals, 64) + " " + names[i]
}
