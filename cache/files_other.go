//go:build !windows

package cache

import "os"

// payloadMode keeps payload files from being changed in place by accident; an fsync needs no write
// access.
const (
	payloadMode = 0o444
	syncFlag    = os.O_RDONLY
)
