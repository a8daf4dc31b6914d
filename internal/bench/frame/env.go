package frame

import (
	"fmt"
	"os"
	"regexp"
	"time"
)

// Env is what the program was asked for, the same for every case.
type Env struct {
	Suite   string
	Quick   bool           // everything within 45 s: smaller sizes, fewer rounds
	Rows    *regexp.Regexp // which rows to measure; nil for all
	Entries int            // size of the large store; 0 for the suite's default
	Dir     string         // where temporary folders are made
	Log     *Progress      // nil is silent
	Began   time.Time      // of the run
}

// Pick returns full, or quick when the run is a quick one.
func Pick[T any](e *Env, full, quick T) T {
	if e.Quick {
		return quick
	}
	return full
}

// late is when a quick run has used so much of its 45 s that one round must do.
const late = 25 * time.Second

// Rounds is how often a comparison is repeated: full times, or quick times in a quick run that
// has time left, and else once.
func (e *Env) Rounds(full, quick int) int {
	if e.Quick && !e.Began.IsZero() && time.Since(e.Began) > late {
		return 1
	}
	return Pick(e, full, quick)
}

// TempDir makes a folder that the caller removes with the returned function.
func (e *Env) TempDir(name string) (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp(e.Dir, name+"-")
	if err != nil {
		return "", nil, fmt.Errorf("bench: temporary folder: %w", err)
	}
	return dir, func() { RemoveAll(dir) }, nil
}

func (e *Env) wanted(name string) bool {
	return e.Rows == nil || e.Rows.MatchString(name)
}
