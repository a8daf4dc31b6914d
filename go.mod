module github.com/larderbuild/larder

go 1.26.0

require (
	github.com/cespare/xxhash/v2 v2.3.0
	golang.org/x/sync v0.24.0
	golang.org/x/sys v0.49.0
)
