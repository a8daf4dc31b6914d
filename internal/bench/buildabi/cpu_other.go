//go:build !unix

package buildabi

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }
