//go:build unix && !linux

package ipc

import "time"

// refuseNew takes the name away, which nobody can then connect to, and makes Accept stop waiting.
func (l *Listener) refuseNew() error {
	l.removeName()
	return l.f.SetReadDeadline(time.Unix(1, 0))
}
