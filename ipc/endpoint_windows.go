package ipc

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// userFolder is in the profile of the token's user, whatever the environment says.
func userFolder() (string, error) {
	token, err := syscall.OpenCurrentProcessToken()
	if err != nil {
		return "", os.NewSyscallError("OpenProcessToken", err)
	}
	defer token.Close()
	profile, err := token.GetUserProfileDirectory()
	if err != nil {
		return "", os.NewSyscallError("GetUserProfileDirectory", err)
	}
	return filepath.Join(profile, "AppData", "Local", "larder"), nil
}

// address is the name of the pipe: of this user, and of the folder, because all pipes of the
// machine share one folder. Paths that differ only in case are one.
func address(base string) (string, error) {
	sid, err := ownSID()
	if err != nil {
		return "", err
	}
	dir, name := filepath.Split(base)
	return `\\.\pipe\larder-` + sid + "-" + hashScope([]string{strings.ToLower(dir)}) + "-" + name, nil
}

// checkFolder makes the folder if it is missing. Who may enter it is what its parent passes on: in
// a profile nobody but its user and the system.
func checkFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return refuse(dir, "it is a link or not a folder")
	}
	return nil
}

// ownSID is the user of this process.
var ownSID = sync.OnceValues(func() (string, error) {
	token, err := syscall.OpenCurrentProcessToken()
	if err != nil {
		return "", os.NewSyscallError("OpenProcessToken", err)
	}
	defer token.Close()
	return sidOf(token)
})

func sidOf(token syscall.Token) (string, error) {
	user, err := token.GetTokenUser()
	if err != nil {
		return "", os.NewSyscallError("GetTokenInformation", err)
	}
	return user.User.Sid.String()
}
