package testkit

import (
	"runtime"
	"slices"
	"strings"
)

// lasting are goroutines that the standard library starts once in a process and keeps.
var lasting = []string{
	"os/signal.loop(",
	"os/signal.signal_recv(",
	"runtime.ensureSigM(",
}

// goroutines returns the stack traces of all other goroutines by their header's number.
func goroutines() map[string]string {
	buf := make([]byte, 1<<16)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	all := map[string]string{}
	stacks := strings.Split(string(buf), "\n\n")
	for _, s := range stacks[1:] { // the first is our own
		number, _, _ := strings.Cut(s, " [") // "goroutine 7 [chan receive]:"
		all[number] = strings.TrimSpace(s)
	}
	return all
}

func leakedGoroutines(before map[string]string, known []string) []string {
	var list []string
	for number, stack := range goroutines() {
		if _, old := before[number]; !old && !holds(stack, lasting) && !holds(stack, known) {
			list = append(list, stack+"\n")
		}
	}
	return list
}

func holds(s string, parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
}
