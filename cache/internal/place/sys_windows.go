package place

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/larderbuild/larder/internal/vfs"
)

// openNonblock is nothing: opening a pipe does not wait here.
const openNonblock = 0

// aboutPair lists the answers that would be the same for every file.
func aboutPair(no syscall.Errno) bool {
	switch no {
	case windows.ERROR_NOT_SAME_DEVICE, windows.ERROR_INVALID_FUNCTION, windows.ERROR_NOT_SUPPORTED,
		windows.ERROR_INVALID_PARAMETER, windows.ERROR_CALL_NOT_IMPLEMENTED,
		syscall.EXDEV, syscall.EOPNOTSUPP, syscall.ENOTSUP, syscall.ENOSYS, syscall.EINVAL, syscall.EPERM:
		return true
	}
	return false
}

// fatal lists the answers that copying would get too.
func fatal(no syscall.Errno) bool {
	switch no {
	case windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED,
		windows.ERROR_WRITE_PROTECT, syscall.ENOSPC, syscall.EIO, syscall.EROFS:
		return true
	}
	return false
}

// otherVolume says whether a rename failed because it would have to move bytes.
func otherVolume(err error) bool {
	return errors.Is(err, windows.ERROR_NOT_SAME_DEVICE) || errors.Is(err, syscall.EXDEV)
}

func volumeOf(f *os.File) volume {
	var d windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &d); err != nil {
		return volume{}
	}
	return volume{device: uint64(d.VolumeSerialNumber)}
}

// fileLinkInformation is the class of FILE_LINK_INFORMATION (ntifs.h).
const fileLinkInformation = 11

type linkInformation struct {
	replace    bool
	root       windows.Handle
	nameLength uint32
	name       [windows.MAX_PATH]uint16
}

// linkFile links relative to the open folder: CreateHardLink takes a path, and a path can be
// redirected. It asks for the right to delete, because a link of a file that anybody has open
// without sharing that right, as os.Open does, could be neither renamed nor removed afterwards.
func linkFile(src *os.File, into *folder, name string) error {
	p, err := windows.UTF16PtrFromString(src.Name())
	if err != nil {
		return err
	}
	h, err := windows.CreateFile(p,
		windows.FILE_WRITE_ATTRIBUTES|windows.DELETE|windows.SYNCHRONIZE,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE,
		nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_OPEN_REPARSE_POINT|windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	text, err := windows.UTF16FromString(name)
	if err != nil {
		return err
	}
	info := linkInformation{root: windows.Handle(into.self.Fd()), nameLength: uint32(len(text)-1) * 2}
	if copy(info.name[:], text) < len(text) {
		return windows.ERROR_FILENAME_EXCED_RANGE
	}
	err = windows.NtSetInformationFile(h, &windows.IO_STATUS_BLOCK{}, (*byte)(unsafe.Pointer(&info)),
		uint32(unsafe.Sizeof(info)), fileLinkInformation)
	if status, ok := err.(windows.NTStatus); ok {
		return status.Errno()
	}
	return err
}

// replace removes a read-only file first, which a rename refuses to replace. Making it writable
// instead would change the stored file where the old one is a link.
func replace(root *os.Root, temp, name string) error {
	err := root.Rename(temp, name)
	if !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return err
	}
	fi, lerr := root.Lstat(name)
	if lerr != nil || !fi.Mode().IsRegular() || fi.Mode().Perm()&0o200 != 0 {
		return err
	}
	if rerr := root.Remove(name); rerr != nil {
		return errors.Join(err, rerr)
	}
	return root.Rename(temp, name)
}

func linkCount(f vfs.File, fi fs.FileInfo) (uint64, error) {
	file, ok := f.(*os.File)
	if !ok {
		return vfs.IDOf(fi).Links, nil
	}
	var d windows.ByHandleFileInformation
	err := windows.GetFileInformationByHandle(windows.Handle(file.Fd()), &d)
	return uint64(d.NumberOfLinks), err
}

// makePrivate clears the read-only attribute by name: a handle for reading may not.
func makePrivate(f vfs.File) error {
	if file, ok := f.(*os.File); ok {
		return os.Chmod(file.Name(), 0o600)
	}
	return f.Chmod(0o600)
}

// seal sets the mode last: setting a time may clear the read-only attribute (wine does).
func seal(dst *os.File, into *folder, temp string, o Output) error {
	if err := dst.Close(); err != nil {
		return err
	}
	if err := setTime(into, temp, o); err != nil {
		return err
	}
	return into.root.Chmod(temp, o.Mode.Perm())
}
