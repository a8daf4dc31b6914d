package main

// Bounds of the tests with many processes where a process costs much more.
const (
	herdTrialsDefault   = 5
	herdClientsDefault  = 8
	killClientsDefault  = 4
	upgradesDefault     = 3
	upgradeCallsDefault = 8
)
