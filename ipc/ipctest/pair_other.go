//go:build !unix && !windows

package ipctest

import (
	"errors"
	"os"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

func pair(testing.TB) (a, b *os.File, err error) { return nil, nil, errors.ErrUnsupported }

func endpoint(testing.TB) (ipc.Endpoint, error) { return ipc.Endpoint{}, errors.ErrUnsupported }
