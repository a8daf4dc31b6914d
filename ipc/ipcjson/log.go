package ipcjson

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// DefaultMaxSize is the size in bytes from which on [Log.Rotate] renames a log.
const DefaultMaxSize = 1 << 20

// Log appends events to a file, one line of JSON each: the fields of [ipc.Event] in lower case,
// without those that are zero, Took as took_ms, Err as error, and the stack of a panic. Several
// processes may append to one file: every line is a write of its own at the end of the file. All
// its methods are safe for concurrent use.
type Log struct {
	path    string
	maxSize int64

	mu  sync.Mutex
	err error
}

// NewLog returns a log at a path, which only this user can read. It is made with the first event,
// and grows until the host calls [Log.Rotate]. A maxSize, in bytes, of 0 is [DefaultMaxSize].
func NewLog(path string, maxSize int64) *Log {
	if maxSize <= 0 {
		maxSize = DefaultMaxSize
	}
	return &Log{path: path, maxSize: maxSize}
}

// Event appends e. It opens the file anew each time, so that no process goes on writing
// to a file that another has rotated.
func (l *Log) Event(e ipc.Event) {
	line, err := json.Marshal(lineOf(e))
	if err == nil {
		err = appendTo(l.path, append(line, '\n'))
	}
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.err = cmp.Or(l.err, err) // the first: nobody may ever ask
	}
}

func appendTo(path string, line []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(line)
	return errors.Join(err, f.Close())
}

// Err returns what went wrong first since the last time it was asked: events themselves have no
// error.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.err
	l.err = nil
	return err
}

// Rotate renames a log that has grown too large, with .1 after its name; an older one is
// replaced. Only one process at a time may call it: the one that starts the server, in the Alone of
// package lifecycle.
func (l *Log) Rotate() error {
	info, err := os.Stat(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Size() < l.maxSize:
		return nil
	}
	return os.Rename(l.path, l.path+".1")
}

// line is the JSON of an event; names never change their meaning.
type line struct {
	Time       time.Time `json:"time"`
	Kind       string    `json:"kind"`
	Endpoint   string    `json:"endpoint,omitempty"`
	PID        int       `json:"pid,omitempty"`
	Peer       int       `json:"peer,omitempty"`
	Server     int       `json:"server,omitempty"`
	Old        int       `json:"old,omitempty"`
	Instance   string    `json:"instance,omitempty"`
	Version    string    `json:"version,omitempty"`
	Executable string    `json:"executable,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	Link       string    `json:"link,omitempty"`
	TookMS     float64   `json:"took_ms,omitempty"`
	Count      int64     `json:"count,omitempty"`
	Error      string    `json:"error,omitempty"`
	Stack      string    `json:"stack,omitempty"` // of a panic
}

func lineOf(e ipc.Event) line {
	l := line{
		Time: e.Time, Kind: e.Kind, Endpoint: e.Endpoint,
		PID: e.PID, Peer: e.Peer, Server: e.Server, Old: e.Old,
		Instance: e.Instance, Version: e.Version, Executable: e.Executable,
		Reason: e.Reason, Link: e.Link, Count: e.Count,
		TookMS: float64(e.Took) / float64(time.Millisecond),
	}
	if e.Err != nil {
		l.Error = e.Err.Error()
	}
	if p, ok := errors.AsType[*ipc.PanicError](e.Err); ok {
		l.Stack = string(p.Stack)
	}
	return l
}

// Slog returns a hook that makes a record of each event: at level warn if it has an error, else
// info. Attributes have the names of [Log]'s lines.
func Slog(logger *slog.Logger) func(ipc.Event) {
	return func(e ipc.Event) {
		level := slog.LevelInfo
		if e.Err != nil {
			level = slog.LevelWarn
		}
		if !logger.Enabled(context.Background(), level) {
			return
		}
		r := slog.NewRecord(e.Time, level, "ipc: "+e.Kind, 0)
		r.AddAttrs(attributes(lineOf(e))...)
		logger.Handler().Handle(context.Background(), r) // the logger's own methods drop the error too
	}
}

// attributes are those fields of a line that say something.
func attributes(l line) (attrs []slog.Attr) {
	for _, s := range [...]struct{ key, value string }{
		{"endpoint", l.Endpoint}, {"instance", l.Instance}, {"version", l.Version},
		{"executable", l.Executable}, {"reason", l.Reason}, {"link", l.Link}, {"error", l.Error},
		{"stack", l.Stack},
	} {
		if s.value != "" {
			attrs = append(attrs, slog.String(s.key, s.value))
		}
	}
	for _, n := range [...]struct {
		key   string
		value int64
	}{{"pid", int64(l.PID)}, {"peer", int64(l.Peer)}, {"server", int64(l.Server)}, {"old", int64(l.Old)}, {"count", l.Count}} {
		if n.value != 0 {
			attrs = append(attrs, slog.Int64(n.key, n.value))
		}
	}
	if l.TookMS != 0 {
		attrs = append(attrs, slog.Float64("took_ms", l.TookMS))
	}
	return attrs
}
