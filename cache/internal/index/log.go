package index

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// Messages of the engine that say what nothing else does. Only their arguments are read, never their text.
const (
	compactCounts = "[%d] LOG Compact. Added %d keys. Skipped %d keys. Iteration took: %v"
	compactDone   = "[Compactor: %d] Compaction for level: %d DONE"
	compactFailed = "[Compactor: %d] LOG Compact FAILED with error: %+v: %+v"
	flushFailed   = "error flushing memtable to disk: %v, retrying"
)

// engineLog is the engine's logger: it tells what compactions do, and hands messages to the host's logger.
type engineLog struct {
	out     *slog.Logger // nil is silent
	counted func(compactor int, entries int64)
	ended   func(compactor int, done bool)
	stuck   func(cause any) // a flush failed and will be tried again
}

// Errorf takes an error.
func (l *engineLog) Errorf(format string, args ...any) {
	if format == flushFailed {
		l.stuck(args)
	}
	l.write(slog.LevelError, format, args)
}

// Warningf takes a warning.
func (l *engineLog) Warningf(format string, args ...any) {
	if id, ok := compactor(args); ok && format == compactFailed {
		l.ended(id, false)
	}
	l.write(slog.LevelWarn, format, args)
}

// Infof takes what is of interest to the engine's authors.
func (l *engineLog) Infof(format string, args ...any) { l.write(slog.LevelDebug, format, args) }

// Debugf takes more of that.
func (l *engineLog) Debugf(format string, args ...any) {
	id, ok := compactor(args)
	switch {
	case ok && format == compactCounts && len(args) > 2:
		added, ok1 := args[1].(uint64)
		skipped, ok2 := args[2].(uint64)
		if ok1 && ok2 {
			l.counted(id, int64(added+skipped))
		}
	case ok && format == compactDone:
		l.ended(id, true)
	}
	l.write(slog.LevelDebug, format, args)
}

// compactor returns the first argument of the messages about compactions.
func compactor(args []any) (id int, ok bool) {
	if len(args) > 0 {
		id, ok = args[0].(int)
	}
	return id, ok
}

func (l *engineLog) write(level slog.Level, format string, args []any) {
	if l.out == nil || !l.out.Enabled(context.Background(), level) {
		return
	}
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	l.out.Log(context.Background(), level, "index engine", "text", text)
}
