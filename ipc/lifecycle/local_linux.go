package lifecycle

import (
	"errors"
	"os"
	"syscall"
)

var errRemote = errors.New("the folder is on another machine, where locks are not to be trusted")

// checkLocal refuses folders of network file systems.
func checkLocal(dir string) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return os.NewSyscallError("statfs", err)
	}
	return checkType(uint32(fs.Type))
}

// checkType knows the magic numbers of file systems whose files another machine holds.
func checkType(magic uint32) error {
	switch magic {
	case 0x6969, // NFS
		0xff534d42, 0xfe534d42, 0x517b, // CIFS, SMB 2, SMB
		0x5346414f, 0x6b414653, // AFS
		0x73757245, // Coda
		0x01021997, // 9P
		0x00c36400: // Ceph
		return errRemote
	}
	return nil
}
