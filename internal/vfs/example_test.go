package vfs_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/larderbuild/larder/internal/vfs"
)

// A scenario runs once to count its steps, then once for each step with a crash there. What
// each crash may leave is opened again and judged.
func Example() {
	scenario := func(fsys vfs.FS) error { return publish(fsys, "d", "content") }
	count := vfs.NewFaults(vfs.NewMem("d"), nil)
	if err := scenario(count); err != nil {
		fmt.Println(err)
	}
	r, trees := rand.New(rand.NewPCG(1, 2)), 0
	for step := 1; step <= count.Steps(); step++ {
		mem := vfs.NewMem("d")
		if scenario(vfs.NewFaults(mem, vfs.CrashAt(step))) == nil {
			fmt.Println("no error from a crash in step", step)
		}
		for how, disk := range mem.Crashes(r, 3) {
			if _, err := disk.ReadDir("d"); err != nil {
				fmt.Println(step, how, err)
			}
			trees++
		}
	}
	fmt.Println(count.Steps(), "steps,", trees, "trees")
	// Output: 5 steps, 40 trees
}
