package place

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// cloneFile lets the kernel make the file (clonefile(2)). It comes with the mode and times of src,
// so it is opened for reading only, and its time is set here; the mode is the caller's to set.
func cloneFile(src *os.File, into *folder, name string) (*os.File, error) {
	err := withFDs(into.self, src, func(dir, from int) error {
		return uninterrupted(func() error {
			return unix.Fclonefileat(from, dir, name, unix.CLONE_NOFOLLOW|unix.CLONE_NOOWNERCOPY)
		})
	})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if err := into.root.Chtimes(name, now, now); err != nil {
		return nil, errors.Join(err, into.root.Remove(name))
	}
	dst, err := into.root.Open(name)
	if err != nil {
		return nil, errors.Join(err, into.root.Remove(name))
	}
	return dst, nil
}
