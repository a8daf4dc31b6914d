package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// screen prints lines and, on a terminal, keeps a last one up to date. What is written to
// it goes above that line. It is safe for concurrent use.
type screen struct {
	w        io.Writer
	terminal bool

	mu   sync.Mutex
	line string // that is shown and will be replaced
}

func newScreen(w io.Writer) *screen {
	f, ok := w.(*os.File)
	return &screen{w: w, terminal: ok && isTerminal(f)}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Write passes on what another program prints.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replace("")
	return s.w.Write(p)
}

// say prints a line to stay.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replace("")
	fmt.Fprintf(s.w, format+"\n", args...)
}

// status replaces the last line of a terminal.
func (s *screen) status(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal {
		s.replace(line)
	}
}

func (s *screen) clear() { s.status("") }

// replace blanks out what the new line does not cover: not every terminal knows more.
func (s *screen) replace(line string) {
	if s.line == line {
		return
	}
	blanks := max(0, len(s.line)-len(line))
	fmt.Fprint(s.w, "\r", line, strings.Repeat(" ", blanks), strings.Repeat("\b", blanks))
	if line == "" {
		fmt.Fprint(s.w, "\r")
	}
	s.line = line
}

// follow shows the time, and the counts in a file, until stop is called.
func (s *screen) follow(name, file string) (stop func()) {
	if !s.terminal {
		return func() {}
	}
	start := time.Now()
	end := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { // ends with stop
		tick := time.NewTicker(countEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.status(progress(name, file, time.Since(start)))
			case <-end:
				s.clear()
				return
			}
		}
	})
	return func() {
		close(end)
		running.Wait()
	}
}

func progress(name, file string, took time.Duration) string {
	line := fmt.Sprintf("  %-22s %6.1f s", name, took.Seconds())
	c, err := readCounts(file)
	if file == "" || err != nil {
		return line
	}
	return line + fmt.Sprintf("   %d found, %d missing, %s stored", c.Hits, c.Gets-c.Hits, formatBytes(c.PutBytes))
}
