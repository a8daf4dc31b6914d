//go:build !unix

package ipc

import (
	"errors"
	"os"
)

// passesFiles says that descriptors can travel over a connection.
const passesFiles = false

// rights are descriptors beside the bytes: there are none here.
type rights struct{}

func (*rights) expect()               {}
func (*rights) attach(*os.File) error { return errors.ErrUnsupported }
func (*rights) claim() *os.File       { return nil }
func (*rights) closeFiles()           {}
