package ipc

// Peer is who is at the other end of a connection, as the system tells: nothing of it comes from
// the peer.
type Peer struct {
	// PID is the process that connected or listens; 0 where the system does not tell.
	PID int
	// UID is the number of its effective user; -1 on Windows.
	UID int
	// SID is its user on Windows, empty elsewhere.
	SID string
	// SameUser says that the peer runs as the user of this process.
	SameUser bool
}

// Process identifies the peer's process. Ask while the connection is open: a number means
// nothing once its process is gone.
func (p Peer) Process() (Process, error) { return ProcessOf(p.PID) }

// SharesFiles reports whether the peer sees the files that this process sees: the same root
// folder in the same mount namespace. Two containers that share the endpoint's folder reach one
// server although equal paths mean different files in them. The error is an
// [errors.ErrUnsupported] on systems that do not tell; those without namespaces answer true.
func (p Peer) SharesFiles() (bool, error) { return sharesFiles(p.PID) }
