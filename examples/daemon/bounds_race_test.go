//go:build !long && !windows && race

package main

// Bounds of the tests with many processes where the race detector makes each much dearer.
const (
	herdTrialsDefault   = 5
	herdClientsDefault  = 12
	killClientsDefault  = 4
	upgradesDefault     = 5
	upgradeCallsDefault = 16
)
