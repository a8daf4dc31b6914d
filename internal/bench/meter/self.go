package meter

import (
	"runtime"
	"time"
)

// Self is what this process has used since it began.
type Self struct {
	CPU    time.Duration // user and system time; 0 where the system does not tell
	Allocs uint64        // of heap memory
}

// ReadSelf reads what this process has used.
func ReadSelf() Self {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Self{CPU: cpuTime(), Allocs: m.Mallocs}
}

// Minus returns what was used since before.
func (s Self) Minus(before Self) Self {
	return Self{CPU: s.CPU - before.CPU, Allocs: s.Allocs - before.Allocs}
}
