//go:build !long

package index_test

const (
	crashStride = 3
	failStride  = 5
)
