//go:build unix && !linux

package place

import (
	"os"
	"syscall"
)

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
