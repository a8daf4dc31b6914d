package ipc

import (
	"os"
	"syscall"
	"unsafe"
)

// What package syscall lacks. Package windows of x/sys has it but brings package net along.
var (
	kernel32 = syscall.NewLazyDLL("kernel32.dll")
	advapi32 = syscall.NewLazyDLL("advapi32.dll")

	createEvent            = kernel32.NewProc("CreateEventW")
	createNamedPipe        = kernel32.NewProc("CreateNamedPipeW")
	connectNamedPipe       = kernel32.NewProc("ConnectNamedPipe")
	disconnectNamedPipe    = kernel32.NewProc("DisconnectNamedPipe")
	getNamedPipeInfo       = kernel32.NewProc("GetNamedPipeInfo")
	getOverlappedResult    = kernel32.NewProc("GetOverlappedResult")
	pipeClientProcessID    = kernel32.NewProc("GetNamedPipeClientProcessId")
	pipeServerProcessID    = kernel32.NewProc("GetNamedPipeServerProcessId")
	setEvent               = kernel32.NewProc("SetEvent")
	waitForMultipleObjects = kernel32.NewProc("WaitForMultipleObjects")

	descriptorFromString = advapi32.NewProc("ConvertStringSecurityDescriptorToSecurityDescriptorW")
)

const (
	accessDuplex        = 3
	firstInstance       = 0x00080000
	rejectRemote        = 8
	unlimited           = 255
	pipeServerEnd       = 1
	pipeBuffer          = 64 << 10
	securityQOS         = 0x00100000
	identification      = 0x00010000
	manualReset         = 1
	waitForever         = 0xffffffff
	errInvalidParameter = syscall.Errno(87)
	errPipeBusy         = syscall.Errno(231)
	errNoData           = syscall.Errno(232)
	errPipeConnected    = syscall.Errno(535)
	errIOIncomplete     = syscall.Errno(996)
	errPathNotFound     = syscall.ERROR_PATH_NOT_FOUND
	errIOPending        = syscall.ERROR_IO_PENDING
	errOperationAbort   = syscall.ERROR_OPERATION_ABORTED
)

// invoke runs a function of the system that returns 0 to say that it failed.
func invoke(proc *syscall.LazyProc, args ...uintptr) error {
	if ok, _, errno := proc.Call(args...); ok == 0 {
		return os.NewSyscallError(proc.Name, errno)
	}
	return nil
}

// instance is one end of the pipe that waits for a client.
type instance struct {
	pipe    syscall.Handle
	waiting *syscall.Overlapped // lives here for as long as the system may write to it
	atOnce  bool                // the client was there before: nothing is pending
}

// ownerOnly is a security descriptor that lets nobody but this user open the pipe.
func ownerOnly() (*syscall.SecurityAttributes, func(), error) {
	sid, err := ownSID()
	if err != nil {
		return nil, nil, err
	}
	text, err := syscall.UTF16PtrFromString("O:" + sid + "D:P(A;;GA;;;" + sid + ")")
	if err != nil {
		return nil, nil, err
	}
	const revision = 1
	attributes := new(syscall.SecurityAttributes)
	attributes.Length = uint32(unsafe.Sizeof(*attributes))
	err = invoke(descriptorFromString, uintptr(unsafe.Pointer(text)), revision,
		uintptr(unsafe.Pointer(&attributes.SecurityDescriptor)), 0)
	if err != nil {
		return nil, nil, err
	}
	free := func() { syscall.LocalFree(syscall.Handle(attributes.SecurityDescriptor)) }
	return attributes, free, nil
}

// newInstance makes an instance of the pipe and lets it wait for a client.
func newInstance(name string, first bool) (*instance, error) {
	path, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	security, free, err := ownerOnly()
	if err != nil {
		return nil, err
	}
	defer free()
	mode := uintptr(accessDuplex | syscall.FILE_FLAG_OVERLAPPED)
	if first {
		mode |= firstInstance
	}
	pipe, _, errno := createNamedPipe.Call(uintptr(unsafe.Pointer(path)), mode, rejectRemote,
		unlimited, pipeBuffer, pipeBuffer, 0, uintptr(unsafe.Pointer(security)))
	if syscall.Handle(pipe) == syscall.InvalidHandle {
		return nil, os.NewSyscallError("CreateNamedPipeW", errno)
	}
	event, _, errno := createEvent.Call(0, manualReset, 0, 0)
	if event == 0 {
		syscall.CloseHandle(syscall.Handle(pipe))
		return nil, os.NewSyscallError("CreateEventW", errno)
	}
	i := &instance{pipe: syscall.Handle(pipe),
		waiting: &syscall.Overlapped{HEvent: syscall.Handle(event)}}
	if err := i.wait(); err != nil {
		i.close()
		return nil, err
	}
	return i, nil
}

// wait begins to wait for a client. The event tells of one.
func (i *instance) wait() error {
	for {
		ok, _, errno := connectNamedPipe.Call(uintptr(i.pipe), uintptr(unsafe.Pointer(i.waiting)))
		switch {
		case ok != 0 || errno == errIOPending:
			return nil
		case errno == errPipeConnected:
			i.atOnce = true
			return invoke(setEvent, uintptr(i.waiting.HEvent))
		case errno != errNoData:
			return os.NewSyscallError("ConnectNamedPipe", errno)
		}
		// A client came and went: the instance is good for the next one.
		if err := invoke(disconnectNamedPipe, uintptr(i.pipe)); err != nil {
			return err
		}
	}
}

// connected reports how the waiting ended: nil with a client, errIOPending when it goes on.
func (i *instance) connected(block bool) error {
	if i.atOnce {
		return nil
	}
	var n uint32
	var wait uintptr
	if block {
		wait = 1
	}
	ok, _, errno := getOverlappedResult.Call(uintptr(i.pipe), uintptr(unsafe.Pointer(i.waiting)),
		uintptr(unsafe.Pointer(&n)), wait)
	switch {
	case ok != 0:
		return nil
	case errno == errIOIncomplete:
		return errIOPending
	}
	return errno
}

// file hands the connected pipe over to the runtime's poller.
func (i *instance) file(name string) *os.File {
	syscall.CloseHandle(i.waiting.HEvent)
	return os.NewFile(uintptr(i.pipe), name)
}

// cancel ends the waiting and reports whether a client was faster.
func (i *instance) cancel() bool {
	syscall.CancelIoEx(i.pipe, i.waiting)
	return i.connected(true) == nil
}

func (i *instance) close() {
	syscall.CloseHandle(i.pipe)
	syscall.CloseHandle(i.waiting.HEvent)
}

// connect connects once.
func (e Endpoint) connect() (*os.File, error) {
	path, err := syscall.UTF16PtrFromString(e.addr)
	if err != nil {
		return nil, err
	}
	// The server may learn who we are but not act in our name.
	flags := uint32(syscall.FILE_FLAG_OVERLAPPED | securityQOS | identification)
	h, err := syscall.CreateFile(path, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_EXISTING, flags, 0)
	switch err {
	case nil:
		return os.NewFile(uintptr(h), e.addr), nil
	case errPipeBusy:
		return nil, errFull
	case syscall.ERROR_FILE_NOT_FOUND, errPathNotFound:
		return nil, errAbsent
	}
	return nil, os.NewSyscallError("CreateFile", err)
}

// again makes an instance whose client came and went wait for the next one.
func (i *instance) again() error {
	if err := invoke(disconnectNamedPipe, uintptr(i.pipe)); err != nil {
		return err
	}
	*i.waiting, i.atOnce = syscall.Overlapped{HEvent: i.waiting.HEvent}, false
	return i.wait()
}

// signalled reports whether an event has been set.
func signalled(event syscall.Handle) bool {
	e, err := syscall.WaitForSingleObject(event, 0)
	return err == nil && e == syscall.WAIT_OBJECT_0
}
