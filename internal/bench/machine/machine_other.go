//go:build !linux

package machine

import "runtime"

func cpu() string { return runtime.GOARCH }

func fileSystem(string) string { return "an unnamed file system" }
