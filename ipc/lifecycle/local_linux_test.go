package lifecycle

import (
	"errors"
	"os"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

// TestRemoteFolder knows the file systems of other machines by the numbers in the kernel's
// linux/magic.h; a test cannot mount one.
func TestRemoteFolder(t *testing.T) {
	for name, c := range map[string]struct {
		magic  uint32
		remote bool
	}{
		"nfs": {0x6969, true}, "cifs": {0xff534d42, true}, "smb2": {0xfe534d42, true}, "smb": {0x517b, true},
		"afs": {0x5346414f, true}, "kafs": {0x6b414653, true}, "coda": {0x73757245, true},
		"9p": {0x01021997, true}, "ceph": {0x00c36400, true},
		"ext4": {0xef53, false}, "btrfs": {0x9123683e, false}, "xfs": {0x58465342, false},
		"tmpfs": {0x01021994, false}, "overlay": {0x794c7630, false}, "zfs": {0x2fc12fc1, false},
	} {
		if err := checkType(c.magic); (err != nil) != c.remote {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFolderIsChecked claims in a folder that is gone: it is asked for its file system before any
// file in it is touched.
func TestFolderIsChecked(t *testing.T) {
	dir, err := os.MkdirTemp("", "life")
	if err != nil {
		t.Fatal(err)
	}
	ep, err := ipc.NewEndpointIn(dir, "test")
	if err == nil {
		err = os.Remove(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = Claim(t.Context(), ep, nil)
	if call, ok := errors.AsType[*os.SyscallError](err); !ok || call.Syscall != "statfs" {
		t.Errorf("claim in a folder that is gone: %v", err)
	}
}
