//go:build !linux && !darwin && !windows

package ipc

import "errors"

func startOf(int) (uint64, error) { return 0, errors.ErrUnsupported }
