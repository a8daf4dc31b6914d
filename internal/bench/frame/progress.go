package frame

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Progress tells a person what runs now. It is safe for concurrent use; nil is silent.
type Progress struct {
	mu    sync.Mutex
	w     io.Writer
	start time.Time
}

// NewProgress writes lines to w, each with the seconds since now.
func NewProgress(w io.Writer) *Progress {
	return &Progress{w: w, start: time.Now()}
}

// Printf writes one line.
func (p *Progress) Printf(format string, args ...any) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	seconds := time.Since(p.start).Seconds()
	fmt.Fprintf(p.w, "%6.1fs  %s\n", seconds, fmt.Sprintf(format, args...))
}
