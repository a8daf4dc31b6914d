package ipc

import (
	"os"
	"syscall"
	"unsafe"
)

// SmallPipe returns the ends of a pipe at ep that holds less than is written to it at once.
func SmallPipe(ep Endpoint) (client, server *os.File, err error) {
	path, err := syscall.UTF16PtrFromString(ep.addr)
	if err != nil {
		return nil, nil, err
	}
	const buffer = 4 << 10
	pipe, _, errno := createNamedPipe.Call(uintptr(unsafe.Pointer(path)),
		uintptr(accessDuplex|syscall.FILE_FLAG_OVERLAPPED), rejectRemote, unlimited, buffer, buffer, 0, 0)
	if syscall.Handle(pipe) == syscall.InvalidHandle {
		return nil, nil, os.NewSyscallError("CreateNamedPipeW", errno)
	}
	server = os.NewFile(pipe, "server")
	if client, err = ep.connect(); err != nil {
		server.Close()
		return nil, nil, err
	}
	return client, server, nil
}
