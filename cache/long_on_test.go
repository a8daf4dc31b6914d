//go:build long

package cache

const (
	killRounds   = 300
	batteryCases = 100
	survivorPuts = 20000
)
