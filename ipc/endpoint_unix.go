//go:build unix

package ipc

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

func userFolder() (string, error) {
	return "/tmp/larder-" + strconv.Itoa(os.Getuid()), nil
}

// address is the path of the socket.
func address(base string) (string, error) {
	if len(base)+temporaryLen > maxPath {
		return "", &os.PathError{Op: "ipc: name endpoint", Path: base, Err: syscall.ENAMETOOLONG}
	}
	return base + ".sock", nil
}

// checkFolder makes the folder if it is missing and makes sure that nobody else can put anything
// into it: who can do that decides who the server is.
func checkFolder(dir string) error {
	info, err := os.Lstat(dir)
	if os.IsNotExist(err) {
		if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
			return err
		}
		info, err = os.Lstat(dir)
	}
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return refuse(dir, "it is a symbolic link")
	case !info.IsDir():
		return refuse(dir, "it is not a folder")
	case !ok || int(stat.Uid) != os.Geteuid():
		return refuse(dir, "it belongs to another user")
	case info.Mode().Perm()&0o022 != 0:
		return refuse(dir, "others may write to it")
	}
	return nil
}
