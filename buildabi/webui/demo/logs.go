package main

import (
	"io"
	"io/fs"
	"sync"
)

// maxLog bounds what is kept of a step's output.
const maxLog = 8 << 20

// stepLog is what one step printed so far. It is safe for concurrent use.
type stepLog struct {
	mu      sync.Mutex
	text    []byte
	ended   bool
	changed chan struct{} // closed at the next change
}

func newStepLog() *stepLog { return &stepLog{changed: make(chan struct{})} }

// Write appends to the log, and never fails: what is too much is dropped.
func (l *stepLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b[:min(len(b), maxLog-len(l.text))]...)
	l.tell()
	return len(b), nil
}

// end says that nothing more will come.
func (l *stepLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.tell()
}

// tell wakes the readers; the lock is held.
func (l *stepLog) tell() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// logReader reads a log from its start and waits for more until it has ended.
type logReader struct {
	log    *stepLog
	at     int
	closed chan struct{}
	once   sync.Once
}

func (r *logReader) Read(b []byte) (int, error) {
	for {
		r.log.mu.Lock()
		n := copy(b, r.log.text[r.at:])
		ended, changed := r.log.ended, r.log.changed
		r.log.mu.Unlock()
		r.at += n
		switch {
		case n > 0 || len(b) == 0:
			return n, nil
		case ended:
			return 0, io.EOF
		}
		select {
		case <-changed:
		case <-r.closed:
			return 0, fs.ErrClosed
		}
	}
}

// Close ends a Read that waits.
func (r *logReader) Close() error {
	r.once.Do(func() { close(r.closed) })
	return nil
}

// logs are those of one build's steps. The zero value has none.
type logs struct {
	mu    sync.Mutex
	steps []*stepLog
}

// start forgets the logs of the build before.
func (l *logs) start(n int) []*stepLog {
	steps := make([]*stepLog, n)
	for i := range steps {
		steps[i] = newStepLog()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = steps
	return steps
}

// open is the page's way to a log.
func (l *logs) open(step int) (io.ReadCloser, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if step < 0 || step >= len(l.steps) {
		return nil, fs.ErrNotExist
	}
	return &logReader{log: l.steps[step], closed: make(chan struct{})}, nil
}
