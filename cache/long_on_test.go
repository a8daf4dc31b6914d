//go:build long

package cache

const (
	killRounds    = 300
	batteryTrials = 80
	survivorPuts  = 20000
	modelRounds   = 60

	recoveryStarts = 20
	recoveryStride = 1
	otherStride    = 1

	faultLives  = 5
	faultStride = 1
)
