package framelog

import (
	"fmt"
	"strconv"
	"strings"
)

// slot is the place of a file in the log: what its name says, and its header if that holds.
type slot struct {
	segment    uint64
	generation uint32
}

const (
	suffix     = ".log"
	unfinished = ".tmp" // behind the name that a file will get
)

func fileName(s slot, base uint32) string {
	if s.generation == 0 {
		return fmt.Sprintf("%016x%s", s.segment, suffix)
	}
	return fmt.Sprintf("%016x-%08x-%08x%s", s.segment, s.generation, base, suffix)
}

// parseFileName accepts exactly the names that fileName makes.
func parseFileName(name string) (s slot, base uint32, ok bool) {
	stem, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return slot{}, 0, false
	}
	fields := strings.Split(stem, "-")
	base = headerSize
	s.segment, ok = parseHex(fields[0], 64)
	switch {
	case !ok || s.segment == 0 || s.segment > maxSegment:
		return slot{}, 0, false
	case len(fields) == 3:
		g, okg := parseHex(fields[1], 32)
		b, okb := parseHex(fields[2], 32)
		if !okg || !okb || g == 0 || b < headerSize || b%align != 0 {
			return slot{}, 0, false
		}
		s.generation, base = uint32(g), uint32(b)
	case len(fields) != 1:
		return slot{}, 0, false
	}
	return s, base, fileName(s, base) == name
}

func parseHex(s string, bits int) (uint64, bool) {
	n, err := strconv.ParseUint(s, 16, bits)
	return n, err == nil
}
