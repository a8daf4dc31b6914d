//go:build !windows

package place_test

import "io/fs"

// portable is what this system keeps of a mode.
func portable(mode fs.FileMode) fs.FileMode { return mode }
