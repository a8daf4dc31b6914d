//go:build !unix && !windows

package ipc

import (
	"errors"
	"os"
)

// Listener takes connections at an endpoint. There are none on this system.
type Listener struct{ ep Endpoint }

func userFolder() (string, error)                       { return "", errors.ErrUnsupported }
func address(string) (string, error)                    { return "", errors.ErrUnsupported }
func checkFolder(string) error                          { return errors.ErrUnsupported }
func (e Endpoint) connect() (*os.File, error)           { return nil, errors.ErrUnsupported }
func listen(Endpoint, bool) (*Listener, error)          { return nil, errors.ErrUnsupported }
func adopt(Endpoint, *os.File) (*Listener, error)       { return nil, errors.ErrUnsupported }
func Activated(func(string) string) ([]*os.File, error) { return nil, errors.ErrUnsupported }
func (l *Listener) Accept() (*os.File, error)           { return nil, errors.ErrUnsupported }
func (l *Listener) Refuse() error                       { return errors.ErrUnsupported }
func (l *Listener) Close() error                        { return errors.ErrUnsupported }
