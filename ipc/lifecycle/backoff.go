package lifecycle

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// After a server has failed to start, none is started for a while.
const (
	backoffMin = time.Second
	backoffMax = 5 * time.Minute
)

// BackoffError says that no server is started now because the last starts have failed.
type BackoffError struct {
	Endpoint ipc.Endpoint
	Failures int           // starts that have failed in a row
	Cause    string        // why the first of them failed
	Wait     time.Duration // until the next one is tried
}

// Error says how often, why and for how long.
func (e *BackoffError) Error() string {
	return "lifecycle: start server of " + e.Endpoint.String() + ": not tried for another " +
		e.Wait.Round(time.Millisecond).String() + " after " + strconv.Itoa(e.Failures) +
		" failed starts, the first of which: " + e.Cause
}

// failures is what the file beside the endpoint remembers for all clients. Only the holder of the
// start lock reads or writes it.
type failures struct {
	count int
	last  time.Time
	cause string // of the first
}

// delay is how long after the last failure nobody tries again.
func (f failures) delay() time.Duration {
	if f.count == 0 {
		return 0
	}
	return min(backoffMin<<min(f.count-1, 16), backoffMax)
}

// wait is how long a start has to wait. A clock that was set back would make it longer than ever
// was meant: then it is over.
func (f failures) wait(now time.Time) time.Duration {
	left := f.last.Add(f.delay()).Sub(now)
	if left < 0 || left > f.delay() {
		return 0
	}
	return left
}

const failuresHead = "larder-failures 1"

// readFailures reads the file. What it cannot read is no failure: the price is one more start.
func readFailures(path string) failures {
	b, err := os.ReadFile(path)
	lines := strings.Split(string(b), "\n")
	if err != nil || len(lines) != 5 || lines[0] != failuresHead {
		return failures{}
	}
	count, err1 := strconv.Atoi(lines[1])
	last, err2 := strconv.ParseInt(lines[2], 10, 64)
	cause, err3 := strconv.Unquote(lines[3])
	if err := errors.Join(err1, err2, err3); err != nil || count < 1 {
		return failures{}
	}
	return failures{count, time.Unix(0, last), cause}
}

func (f failures) write(path string) error {
	text := strings.Join([]string{failuresHead, strconv.Itoa(f.count),
		strconv.FormatInt(f.last.UnixNano(), 10), strconv.Quote(f.cause), ""}, "\n")
	return os.WriteFile(path, []byte(text), 0o600)
}

// add notes one more failure.
func (f failures) add(now time.Time, cause error) failures {
	if f.count == 0 {
		f.cause = cause.Error()
	}
	return failures{f.count + 1, now, f.cause}
}

// clearFailures forgets them all.
func clearFailures(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
