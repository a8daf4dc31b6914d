package vfs

import (
	"fmt"
	"io/fs"
	"os"
)

// Kind is what an [Op] does.
type Kind uint8

// The calls of FS and File. Reads and writes at an offset share a kind with the sequential ones.
const (
	OpOpen Kind = iota
	OpMkdir
	OpRename
	OpRemove
	OpReadDir
	OpLstat
	OpSyncDir
	OpFree
	OpRead
	OpWrite
	OpClose
	OpStat
	OpSync
	OpTruncate
	OpChmod
)

var kindNames = [...]string{"open", "mkdir", "rename", "remove", "readdir", "lstat", "syncdir",
	"statfs", "read", "write", "close", "stat", "sync", "truncate", "chmod"}

// String returns the kind in words.
func (k Kind) String() string { return kindNames[k] }

// Op is one call through [Faults], as a [Hook] sees it before it takes place.
type Op struct {
	// Call numbers all calls from 1, Step only those that may change what is on the disk, or
	// what of it is durable; Step is 0 for the others. Crashes at two calls between which
	// nothing changed leave the same tree, so a test goes through the steps.
	Call, Step int
	Kind       Kind
	Path       string // of File's calls: the name it was opened by
	To         string // of OpRename
	Flag       int    // of OpOpen
	Off        int64  // of reads and writes at an offset, else -1; of OpTruncate the new size
	Size       int    // bytes of OpRead and OpWrite; entries of a portion of OpReadDir
}

// String returns the kind and what it was done to.
func (op Op) String() string {
	s := fmt.Sprintf("call %d, step %d: %v %s", op.Call, op.Step, op.Kind, op.Path)
	switch op.Kind {
	case OpRename:
		s += " to " + op.To
	case OpRead, OpWrite:
		s += fmt.Sprintf(" (%d bytes at %d)", op.Size, op.Off)
	case OpTruncate:
		s += fmt.Sprintf(" to %d bytes", op.Off)
	}
	return s
}

// changes reports whether the call is a step.
func (op Op) changes() bool {
	switch op.Kind {
	case OpReadDir, OpLstat, OpFree, OpRead, OpClose, OpStat:
		return false
	case OpOpen:
		return op.Flag&(os.O_CREATE|os.O_TRUNC) != 0
	}
	return true
}

// fail wraps err as package os does.
func (op Op) fail(err error) error {
	if op.Kind == OpRename {
		return &os.LinkError{Op: "rename", Old: op.Path, New: op.To, Err: err}
	}
	return &fs.PathError{Op: op.Kind.String(), Path: op.Path, Err: err}
}
