package index

import (
	"io/fs"
	"syscall"
)

// changeTime returns when the file's content or attributes were last changed, and its inode. Unlike the
// modification time this cannot be set back.
func changeTime(info fs.FileInfo) (nanoseconds int64, inode uint64) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ctimespec.Nano(), s.Ino
	}
	return 0, 0
}
