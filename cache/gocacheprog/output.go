package gocacheprog

import (
	"io"
	"sync"
)

// output writes responses, whole lines only, and gathers them until a flush.
// Its methods may be called from many goroutines.
type output struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
	err error // the first failure; what comes after it is dropped
}

// add gathers a response.
func (o *output) add(r *response) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = r.appendTo(o.buf)
}

// send gathers a response and writes all that is gathered.
func (o *output) send(r *response) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = r.appendTo(o.buf)
	o.write()
}

// flush writes what is gathered.
func (o *output) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.buf) > 0 {
		o.write()
	}
}

func (o *output) write() {
	if o.err == nil {
		_, o.err = o.w.Write(o.buf)
	}
	o.buf = o.buf[:0]
}

// failure is the first error of a write.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
