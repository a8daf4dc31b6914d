// Package buildabi measures the build web interface: encoding beside plain copies, a board's updates beside any number
// of clients, the recorded builds of Zig's own server played through a board at their own times, and frames of the page.
package buildabi

import "github.com/larderbuild/larder/internal/bench/frame"

// Suite returns the suite named "buildabi".
func Suite() frame.Suite { return frame.Suite{Name: "buildabi", Cases: cases} }

func cases(env *frame.Env) []frame.Case {
	all := []frame.Case{encodeUpdates(env), encodeCoverage(env)}
	for _, clients := range []int{0, 1, 100} {
		all = append(all, updateCase(env, clients))
	}
	all = append(all, loadCase(env), stalledCase(env))
	for _, name := range frame.Pick(env, recordings[:], recordings[:1]) {
		all = append(all, playCase(name))
	}
	return append(all, pageCase(env))
}
