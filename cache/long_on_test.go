//go:build long

package cache

const (
	killRounds    = 300
	batteryTrials = 400
	survivorPuts  = 20000
	modelRounds   = 200
)
