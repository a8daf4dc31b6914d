//go:build unix

package index

// canReadOnly says that the engine can open a folder without writing to it.
const canReadOnly = true
