package index

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// engineLog hands the engine's messages to the host's logger. A nil out drops them.
type engineLog struct {
	out *slog.Logger
}

func (l *engineLog) Errorf(format string, args ...any)   { l.write(slog.LevelError, format, args) }
func (l *engineLog) Warningf(format string, args ...any) { l.write(slog.LevelWarn, format, args) }
func (l *engineLog) Infof(format string, args ...any)    { l.write(slog.LevelDebug, format, args) }
func (l *engineLog) Debugf(format string, args ...any)   { l.write(slog.LevelDebug, format, args) }

func (l *engineLog) write(level slog.Level, format string, args []any) {
	if l.out == nil || !l.out.Enabled(context.Background(), level) {
		return
	}
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	l.out.Log(context.Background(), level, "index engine", "text", text)
}
