package testkit

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// seedVariable repeats a run: LARDER_TEST_SEED=1234 go test -run '^TestName$' ./package.
const seedVariable = "LARDER_TEST_SEED"

// Rand returns a source of random numbers whose seed is in the log of the test: another one
// in each run, or that of the environment variable LARDER_TEST_SEED. It is not safe for
// concurrent use.
func Rand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv(seedVariable); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	t.Logf("random seed: %s=%d", seedVariable, seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// Bytes returns n random bytes.
func Bytes(r *rand.Rand, n int) []byte {
	p := make([]byte, n)
	for i := 0; i < n; i += 8 {
		v := r.Uint64()
		for j := i; j < min(i+8, n); j++ {
			p[j], v = byte(v), v>>8
		}
	}
	return p
}
