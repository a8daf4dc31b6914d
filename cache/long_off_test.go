//go:build !long

package cache

// The short run takes a sample of what the long one does whole.
const (
	killRounds    = 20
	batteryTrials = 40
	survivorPuts  = 3000
	modelRounds   = 12

	recoveryStarts = 8
	recoveryStride = 5
	otherStride    = 4

	faultLives  = 2
	faultStride = 7
)
