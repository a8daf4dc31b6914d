package cachetest

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Options adjusts a run. A nil *Options is all defaults.
type Options struct {
	// Seed starts the random operations of the model rules; 0 takes a random one. Every run logs
	// its seed.
	Seed uint64
	// Steps is the number of random operations in each model rule; 0 is 500.
	Steps int
	// Wait is how long a rule waits for what must happen before it fails; 0 is 30 seconds.
	// Rules that pass do not wait.
	Wait time.Duration
}

func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	if c.Steps <= 0 {
		c.Steps = 500
	}
	if c.Wait <= 0 {
		c.Wait = 30 * time.Second
	}
	return c
}

// Run runs every rule as a subtest of t, each on a new and empty store from open. Run closes the
// stores; open may register clean-ups of its own, which run later.
func Run(t *testing.T, open func(t testing.TB) Store, o *Options) {
	t.Helper()
	c := o.withDefaults()
	t.Logf("cachetest: seed %d", c.Seed)
	for _, r := range rules() {
		runRule(subtests(t), r, open, c)
	}
}

// rule is one sentence of the contract.
type rule struct {
	name  string
	check func(*trial)
}

func rules() []rule {
	return slices.Concat(putRules, nameRules, replaceRules, deleteRules, sharedRules, streamRules,
		keyRules, modelRules, listRules, closeRules, leaseRules, buildRules, deliverRules, reopenRules)
}

// runner runs f as a named part of a test and hands it the runner of its own parts.
type runner func(name string, f func(testing.TB, runner))

func subtests(t *testing.T) runner {
	return func(name string, f func(testing.TB, runner)) {
		t.Run(name, func(t *testing.T) { f(t, subtests(t)) })
	}
}

func runRule(run runner, r rule, open func(testing.TB) Store, o Options) {
	run(r.name, func(t testing.TB, run runner) {
		r.check(newTrial(t, run, open(t), o))
	})
}
