//go:build !unix

package index

// canReadOnly is false: the engine maps every file for writing here.
const canReadOnly = false
