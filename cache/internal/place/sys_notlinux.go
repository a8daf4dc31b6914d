//go:build unix && !linux

package place

import (
	"errors"
	"os"
	"syscall"
)

func copyRange(*os.File, *os.File, int64, int) (int, error) { return 0, errors.ErrUnsupported }

func volumeOf(f *os.File) volume {
	fi, err := f.Stat()
	if err != nil {
		return volume{}
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return volume{device: uint64(st.Dev)}
	}
	return volume{}
}
