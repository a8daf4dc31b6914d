//go:build long && !windows

package main

// Bounds of the tests with many processes in the long run.
const (
	herdTrialsDefault   = 200
	herdClientsDefault  = 64
	killClientsDefault  = 64
	upgradesDefault     = 50
	upgradeCallsDefault = 64
)
