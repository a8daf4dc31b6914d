//go:build long

package index_test

const (
	crashStride = 1
	failStride  = 1
)
