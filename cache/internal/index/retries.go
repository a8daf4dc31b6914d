package index

import (
	"fmt"
	"sync"
)

// maxRetries is how often the engine may fail to write a table, at one try a second.
const maxRetries = 4

// retries counts the engine's failures to write a table, which it would go on with for ever.
type retries struct {
	mu     sync.Mutex
	count  int
	last   error
	gaveUp chan struct{} // closed after the last
}

// restart counts from 0.
func (r *retries) restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count, r.last, r.gaveUp = 0, nil, make(chan struct{})
}

// over is closed when there were too many.
func (r *retries) over() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gaveUp
}

func (r *retries) failed(cause any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	if r.count == maxRetries {
		r.last = fmt.Errorf("table not written after %d tries: %v", r.count, cause)
		close(r.gaveUp)
	}
}

// err is nil until there were too many.
func (r *retries) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}
