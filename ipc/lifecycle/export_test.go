package lifecycle

import (
	"context"
	"os"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// What the tests see of the rest of the package.
const (
	ClaimSuffix   = claimSuffix
	StartSuffix   = startSuffix
	FailureSuffix = failureSuffix
	BackoffMax    = backoffMax
	OwnerPause    = ownerPause
)

// NewSpawnInfo is what Spawn would get, with a handle to tell readiness.
func NewSpawnInfo(ready *os.File) SpawnInfo { return SpawnInfo{ready: ready} }

func AwaitReady(ctx context.Context, f *os.File, exited <-chan error) error {
	return awaitReady(ctx, f, exited)
}

func WaitGone(ctx context.Context, p ipc.Process) error { return waitGone(ctx, p, time.Millisecond) }

func PollGone(ctx context.Context, p ipc.Process) error { return pollGone(ctx, p, time.Millisecond) }

// FormatRecord is the contents of a file whose holder is info.
func FormatRecord(info Info) []byte { return record{info, listening}.append(nil) }

// WriteRecord makes info the holder of a file.
func WriteRecord(f *os.File, info Info) error { return record{info, listening}.write(f) }

// ParseRecord returns the holder and its stage.
func ParseRecord(b []byte) (Info, string, error) {
	r, err := parseRecord(b)
	return r.Info, string(r.stage), err
}

// Failures reads the file that remembers failures: how many, and how long nobody tries again.
func Failures(path string, now time.Time) (int, string, time.Duration) {
	f := readFailures(path)
	return f.count, f.cause, f.wait(now)
}

// AddFailure writes one more failure.
func AddFailure(path string, now time.Time, cause error) error {
	return readFailures(path).add(now, cause).write(path)
}

// WithDefaults is what Ensure makes of options.
func (o *Options) WithDefaults() (Options, error) { return o.withDefaults() }

// TryLock locks the file that has a path.
func TryLock(path string) (*os.File, error) { return tryLock(path) }

// Starter is what a process started with info has of its starter.
func (s SpawnInfo) Starter() *Readiness { return &Readiness{s.ready} }

// HoldStart holds the start lock for a process until the function that it returns is called.
func HoldStart(ctx context.Context, ep ipc.Endpoint, p ipc.Process) (func(), error) {
	f, err := lockAlone(ctx, ep, startSuffix)
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, record{Info: Info{Process: p, Version: "stopped"}}.write(f)
}
