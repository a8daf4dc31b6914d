//go:build !unix

package ipc

import (
	"errors"

	"github.com/larderbuild/larder/ipc"
)

func fill(ipc.Endpoint) error { return errors.ErrUnsupported }
