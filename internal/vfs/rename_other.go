//go:build !linux && !darwin

package vfs

import "errors"

func renameNew(string, string) error { return errors.ErrUnsupported }
