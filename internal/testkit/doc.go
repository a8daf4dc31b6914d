// Package testkit is what the tests of several packages share. Nothing but tests imports it.
//
// A package's TestMain exits with the result of [Main], which runs the tests, looks for
// leaked goroutines and file descriptors after the last one, and lets the test binary play
// the roles of other processes. [Start] starts the binary again in one of its roles. [Rand]
// gives a test random numbers and prints the seed that repeats them.
//
// # Environment
//
// LARDER_TEST_SEED repeats a run of the tests that use [Rand]. LARDER_TEST_ROLE is set in
// child processes only. No other package of this module reads the environment.
//
// # Platforms
//
// Leaked descriptors are seen on Linux only.
package testkit
