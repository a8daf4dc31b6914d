package cache

import "os"

// A read-only file cannot be opened for FlushFileBuffers here, so payload files stay writable.
const (
	payloadMode = 0o666
	syncFlag    = os.O_RDWR
)
