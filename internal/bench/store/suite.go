package store

import (
	"fmt"
	"math"
	"sync"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/content"
	"github.com/larderbuild/larder/internal/bench/frame"
)

// Suite returns the suite named "store".
func Suite() frame.Suite { return frame.Suite{Name: "store", Cases: cases} }

// Jobs are what its child processes run.
func Jobs() map[string]child.Job {
	return map[string]child.Job{
		jobLoad:   child.JobOf(load),
		jobOpen:   child.JobOf(open),
		jobMemory: child.JobOf(memory),
		jobLookup: child.JobOf(lookups),
		jobPut:    child.JobOf(put),
	}
}

// Entries is the size of the large index: the one asked for, else 1e6, and 1e5 in a quick run.
func Entries(env *frame.Env) int {
	if env.Entries > 0 {
		return env.Entries
	}
	return frame.Pick(env, 1_000_000, 100_000)
}

func cases(env *frame.Env) []frame.Case {
	f := newFixtures(env)
	all := []frame.Case{
		openCase(f),
		memoryCase(f),
		lookupCase(f),
	}
	all = append(all, putCases(env)...)
	pool := sync.OnceValue(func() *content.Pool { return content.NewPool(largest) })
	all = append(all, durabilityCases(env, pool)...)
	return append(all, peerCases(env, pool)...)
}

// count prints a number of entries: 1e4, 1e6, 250000.
func count(n int) string {
	exp := math.Log10(float64(n))
	if exp == math.Trunc(exp) && exp >= 4 {
		return fmt.Sprintf("1e%d", int(exp))
	}
	return fmt.Sprint(n)
}

// bytesText prints a size: 256 B, 64 KiB, 4 MiB.
func bytesText(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d B", n)
	}
}

func putters(n int) string {
	if n == 1 {
		return "1 putter"
	}
	return fmt.Sprintf("%d putters", n)
}
