package gocacheprog

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// sweptAtOnce is how many names of a folder a sweep reads at a time.
const sweptAtOnce = 4096

// sweep removes session folders below parent that have not been touched for [keepFor].
// It removes only what a shelf makes: a folder with the name of one, and in it regular
// files whose names are digits. Anything else stays, with the folder that holds it.
// No symbolic link is followed. It returns early when ctx ends.
func sweep(ctx context.Context, parent string, now time.Time) error {
	root, err := os.OpenRoot(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	for ctx.Err() == nil {
		entries, end := f.ReadDir(sweptAtOnce)
		for _, e := range entries {
			if digits, ok := strings.CutPrefix(e.Name(), sessionPrefix); ok && isDigits(digits) && ctx.Err() == nil {
				err = errors.Join(err, sweepSession(ctx, root, e.Name(), now))
			}
		}
		if end == io.EOF {
			break
		}
		if end != nil {
			return errors.Join(err, end)
		}
	}
	return err
}

// sweepSession removes one session folder if it is old enough.
func sweepSession(ctx context.Context, root *os.Root, name string, now time.Time) error {
	info, err := root.Lstat(name)
	if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < keepFor {
		return ignoreGone(err)
	}
	session, err := root.OpenRoot(name)
	if err != nil {
		return ignoreGone(err)
	}
	defer session.Close()
	// A link may have taken the folder's place since it was looked at.
	if opened, err := session.Stat("."); err != nil || !os.SameFile(info, opened) {
		return err
	}
	if left, err := empty(ctx, session); left || err != nil {
		return err
	}
	return ignoreGone(root.Remove(name))
}

// empty removes a session's bodies and reports whether anything is left.
func empty(ctx context.Context, session *os.Root) (left bool, err error) {
	for ctx.Err() == nil {
		entries, err := list(session)
		if len(entries) == 0 || err != nil {
			return false, err
		}
		for _, e := range entries {
			if !e.Type().IsRegular() || !isDigits(e.Name()) {
				return true, nil
			}
			if err := session.Remove(e.Name()); ignoreGone(err) != nil {
				return true, err
			}
		}
	}
	return true, nil
}

// list returns the first names of a folder, in no order.
func list(root *os.Root) ([]fs.DirEntry, error) {
	f, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(sweptAtOnce)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return entries, err
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// ignoreGone drops the error of a name that another session removed first.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
