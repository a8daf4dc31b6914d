package place

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// cloneFile makes an empty file and gives it the blocks of src (ioctl_ficlone(2)).
func cloneFile(src *os.File, into *folder, name string) (*os.File, error) {
	dst, err := into.create(name)
	if err != nil {
		return nil, err
	}
	err = withFDs(dst, src, func(to, from int) error {
		return uninterrupted(func() error { return unix.IoctlFileClone(to, from) })
	})
	if err == nil {
		return dst, nil
	}
	if cerr := errors.Join(dst.Close(), into.root.Remove(name)); cerr != nil {
		return nil, cerr
	}
	return nil, err
}

// volumeOf asks for the mount as well: links and, on older kernels, clones stop at a bind mount.
func volumeOf(f *os.File) volume {
	var st unix.Statx_t
	err := withFD(f, func(fd int) error {
		return unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st)
	})
	if err != nil {
		return volume{}
	}
	return volume{device: unix.Mkdev(st.Dev_major, st.Dev_minor), mount: st.Mnt_id}
}
