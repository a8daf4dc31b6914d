package lifecycle

import (
	"context"
	"errors"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// Options are for [Ensure] and [Replace]. nil and the zero value use a server that runs and has no
// version, and start and end nothing.
type Options struct {
	// Spawn starts a server and returns without waiting for it; [SpawnInfo] says what it must give
	// the process, and what not. On the channel, which may be nil, it sends one error when the
	// process has exited, nil for a good exit; the channel must have room for it, as perhaps nobody
	// receives. A nil Spawn starts and replaces nothing: a missing server is an
	// [ipc.ErrNotRunning], one to be replaced a [RefusedError].
	Spawn func(ctx context.Context, info SpawnInfo) (exited <-chan error, err error)
	// Kill ends a process at once, for a server that does not go by itself. The process
	// was alive a moment ago; on Linux [os.FindProcess], [ipc.Process.Alive] and then
	// [os.Process.Kill] leave no gap for another one under its number. nil ends nothing.
	Kill func(ctx context.Context, p ipc.Process) error
	// Decide says what is to be done about a server that was found; nil is [PreferNewer] with
	// Version and Compare.
	Decide func(ServerInfo) Decision
	// Version is this program's version, at most 1 KiB.
	Version string
	// Compare orders versions for the default of Decide; nil cannot order different ones.
	Compare func(a, b string) (int, error)
	// Executable is what Spawn starts, for the events.
	Executable string
	// Log is the path of a file that the started server writes to; what it wrote last becomes
	// part of the error when it does not get ready. "" is none.
	Log string

	Timeout      time.Duration // for all of it; 0 is 30 s
	ProbeTimeout time.Duration // for a server to answer that is there; 0 is 2 s
	DrainTimeout time.Duration // for a server to drain that is replaced; 0 is 30 s
	StopTimeout  time.Duration // for it to be gone after that; 0 is 10 s

	// Client is for the connection; nil is the default. Its Redial is not used.
	Client *ipc.ClientOptions
	// Events gets what happens, from the goroutine of the caller; nil means nobody.
	Events func(ipc.Event)
	// Alone runs before a server is started or replaced, while no other process does either: the
	// moment to rotate a log that all of them append to. nil is nothing.
	Alone func()
}

const (
	defaultTimeout      = 30 * time.Second
	defaultProbeTimeout = 2 * time.Second
	defaultDrainTimeout = 30 * time.Second
	defaultStopTimeout  = 10 * time.Second
)

// withDefaults returns a complete copy, or names the first field that cannot be meant.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	for _, d := range []struct {
		field string
		value *time.Duration
		zero  time.Duration
	}{
		{"Timeout", &c.Timeout, defaultTimeout},
		{"ProbeTimeout", &c.ProbeTimeout, defaultProbeTimeout},
		{"DrainTimeout", &c.DrainTimeout, defaultDrainTimeout},
		{"StopTimeout", &c.StopTimeout, defaultStopTimeout},
	} {
		if *d.value < 0 {
			return c, badOption(d.field, "is negative")
		}
		if *d.value == 0 {
			*d.value = d.zero
		}
	}
	if c.Decide == nil {
		c.Decide = PreferNewer(c.Version, c.Compare)
	}
	return c, checkName("Version", c.Version)
}

// checkName bounds what goes into a record.
func checkName(field, name string) error {
	if len(name) > maxName {
		return badOption(field, "is longer than 1 KiB")
	}
	return nil
}

func badOption(field, what string) error {
	return errors.New("lifecycle: bad options: " + field + " " + what)
}

var errNoEndpoint = errors.New("lifecycle: the endpoint is the zero value, which names nothing")
