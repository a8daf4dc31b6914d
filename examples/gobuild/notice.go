package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// notices is a log handler for a program that runs below another one, whose output its
// user reads: a line for each message, and each message once.
type notices struct {
	w     io.Writer
	least slog.Level
	attrs string
	told  *sync.Map
}

func newLogger(w io.Writer, least slog.Level) *slog.Logger {
	return slog.New(&notices{w: w, least: least, told: new(sync.Map)})
}

// Enabled reports whether the level is worth a line.
func (n *notices) Enabled(_ context.Context, l slog.Level) bool { return l >= n.least }

// Handle prints a message with its attributes, unless it was printed before.
func (n *notices) Handle(_ context.Context, r slog.Record) error {
	if _, told := n.told.LoadOrStore(r.Message, true); told {
		return nil
	}
	var line strings.Builder
	fmt.Fprintf(&line, "gobuild: %s%s", r.Message, n.attrs)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&line, ", %s: %s", a.Key, oneLine(a.Value))
		return true
	})
	line.WriteByte('\n')
	_, err := io.WriteString(n.w, line.String())
	return err
}

// WithAttrs returns a handler that prints attrs with each message.
func (n *notices) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *n
	for _, a := range attrs {
		with.attrs += fmt.Sprintf(", %s: %v", a.Key, a.Value)
	}
	return &with
}

// WithGroup returns the handler: the lines are for people, who need no groups.
func (n *notices) WithGroup(string) slog.Handler { return n }

func oneLine(v slog.Value) string { return strings.ReplaceAll(v.String(), "\n", "; ") }
