//go:build !long && !windows && !race

package main

// Bounds of the tests with many processes in the short run.
const (
	herdTrialsDefault   = 20
	herdClientsDefault  = 64
	killClientsDefault  = 8
	upgradesDefault     = 8
	upgradeCallsDefault = 16
)
