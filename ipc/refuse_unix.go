//go:build unix && !linux

package ipc

// refuseNew takes the name away, which nobody can then connect to.
func (l *Listener) refuseNew() error {
	l.removeName()
	return nil
}
