//go:build !long

package cache

// The short run takes a sample of what the long one does whole.
const (
	killRounds   = 20
	batteryCases = 8
	survivorPuts = 3000
)
