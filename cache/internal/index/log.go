package index

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Messages of the engine that say what nothing else does. Only their arguments are read, never their text.
const (
	compactCounts = "[%d] LOG Compact. Added %d keys. Skipped %d keys. Iteration took: %v"
	compactDone   = "[Compactor: %d] Compaction for level: %d DONE"
	compactFailed = "[Compactor: %d] LOG Compact FAILED with error: %+v: %+v"
	flushFailed   = "error flushing memtable to disk: %v, retrying"
)

// engineLog is the engine's logger. It feeds the ledger, and hands messages to the host's logger; a nil out drops them.
type engineLog struct {
	out    *slog.Logger
	ledger *ledger
	dir    string
}

// Errorf takes an error. The engine tries a failed flush again for ever, also while it is closed; when its folder is
// gone, only a new one lets it end.
func (l *engineLog) Errorf(format string, args ...any) {
	if format == flushFailed {
		os.MkdirAll(l.dir, 0o777)
	}
	l.write(slog.LevelError, format, args)
}

// Warningf takes a warning.
func (l *engineLog) Warningf(format string, args ...any) {
	if format == compactFailed {
		l.finished(args, false)
	}
	l.write(slog.LevelWarn, format, args)
}

// Infof takes what is of interest to the engine's authors.
func (l *engineLog) Infof(format string, args ...any) { l.write(slog.LevelDebug, format, args) }

// Debugf takes more of that.
func (l *engineLog) Debugf(format string, args ...any) {
	switch format {
	case compactCounts:
		l.skipped(args)
	case compactDone:
		l.finished(args, true)
	}
	l.write(slog.LevelDebug, format, args)
}

func (l *engineLog) skipped(args []any) {
	if len(args) < 3 {
		return
	}
	id, ok1 := args[0].(int)
	n, ok2 := args[2].(uint64)
	if ok1 && ok2 {
		l.ledger.skipped(id, n)
	}
}

func (l *engineLog) finished(args []any, done bool) {
	if len(args) == 0 {
		return
	}
	if id, ok := args[0].(int); ok {
		l.ledger.finished(id, done)
	}
}

func (l *engineLog) write(level slog.Level, format string, args []any) {
	if l.out == nil || !l.out.Enabled(context.Background(), level) {
		return
	}
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	l.out.Log(context.Background(), level, "index engine", "text", text)
}
