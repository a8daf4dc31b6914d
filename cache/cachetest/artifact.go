package cachetest

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// Artifact is one artifact as a plain value: what a test puts, and what it must get back.
// Nil and empty slices are the same.
type Artifact struct {
	Outputs        []Output // in order
	Stdout, Stderr []byte
	ExitCode       int
	Cost           time.Duration
	Metadata       []byte // at most 64 KiB
}

// Output is one named output: a file, or a symbolic link when Target is not empty.
type Output struct {
	Name    string      // relative, slash-separated
	Mode    fs.FileMode // of a file; a store keeps at least whether it is executable
	Content []byte
	Target  string // text of a symbolic link, kept as it is
}

// clone returns a copy that shares no memory with a.
func (a Artifact) clone() Artifact {
	a.Outputs = slices.Clone(a.Outputs)
	for i := range a.Outputs {
		a.Outputs[i].Content = bytes.Clone(a.Outputs[i].Content)
	}
	a.Stdout, a.Stderr = bytes.Clone(a.Stdout), bytes.Clone(a.Stderr)
	a.Metadata = bytes.Clone(a.Metadata)
	return a
}

// diff says how got differs from a in its first difference, or nothing.
func (a Artifact) diff(got Artifact) string {
	if len(got.Outputs) != len(a.Outputs) {
		return fmt.Sprintf("%d outputs, want %d", len(got.Outputs), len(a.Outputs))
	}
	for i, want := range a.Outputs {
		if d := want.diff(got.Outputs[i]); d != "" {
			return fmt.Sprintf("output %d: %s", i, d)
		}
	}
	for _, part := range []struct {
		name      string
		want, got []byte
	}{
		{"standard output", a.Stdout, got.Stdout},
		{"standard error", a.Stderr, got.Stderr},
		{"metadata", a.Metadata, got.Metadata},
	} {
		if !bytes.Equal(part.want, part.got) {
			return part.name + ": " + diffBytes(part.want, part.got)
		}
	}
	if got.ExitCode != a.ExitCode {
		return fmt.Sprintf("exit code %d, want %d", got.ExitCode, a.ExitCode)
	}
	if got.Cost != a.Cost {
		return fmt.Sprintf("cost %v, want %v", got.Cost, a.Cost)
	}
	return ""
}

func (o Output) diff(got Output) string {
	switch {
	case got.Name != o.Name:
		return fmt.Sprintf("name %q, want %q", got.Name, o.Name)
	case got.Target != o.Target:
		return fmt.Sprintf("%q: link to %q, want %q", o.Name, got.Target, o.Target)
	case o.Target == "" && executable(got.Mode) != executable(o.Mode):
		return fmt.Sprintf("%q: mode %v, want it executable like %v", o.Name, got.Mode, o.Mode)
	case !bytes.Equal(got.Content, o.Content):
		return fmt.Sprintf("%q: %s", o.Name, diffBytes(o.Content, got.Content))
	}
	return ""
}

// executable reads the owner's bit: the only one that every system's programs agree on.
func executable(mode fs.FileMode) bool { return mode&0o100 != 0 }

func diffBytes(want, got []byte) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d bytes, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			return fmt.Sprintf("byte %d of %d is %#02x, want %#02x", i, len(want), got[i], want[i])
		}
	}
	return "same"
}
