//go:build !long

package framelog_test

// rounds is how many random histories each crash test plays.
const rounds = 1
