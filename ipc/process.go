package ipc

import "os"

// Process identifies a process for longer than its number is its own: systems give the number
// of a dead process to a new one. It is comparable; the zero value is no process.
type Process struct {
	PID int
	// Start tells processes with the same number apart. It has no meaning beyond
	// equality on one system since it was booted, and no clock that is set changes it. 0 is
	// unknown.
	Start uint64
}

// ProcessOf identifies the process that has a number now. The error is an [os.ErrProcessDone]
// when there is none, and a process that has ended but was not waited for (a zombie) is none.
// It is an [errors.ErrUnsupported] on systems that do not tell.
func ProcessOf(pid int) (Process, error) {
	if pid <= 0 {
		return Process{}, os.ErrProcessDone
	}
	start, err := startOf(pid)
	if err != nil {
		return Process{}, err
	}
	return Process{PID: pid, Start: start}, nil
}

// Alive reports whether the process still runs. Another process under the same number, or a
// zombie, is not it. Where the system does not tell, the answer is true.
func (p Process) Alive() bool {
	now, err := ProcessOf(p.PID)
	if err == nil {
		return p.Start == 0 || now.Start == p.Start
	}
	return p.PID > 0 && err != os.ErrProcessDone
}
