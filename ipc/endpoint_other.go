//go:build !unix && !windows

package ipc

import (
	"errors"
	"os"
)

type system struct{}

var errNoData = errors.ErrUnsupported

func userFolder() (string, error)                       { return "", errors.ErrUnsupported }
func address(string) (string, error)                    { return "", errors.ErrUnsupported }
func checkFolder(string) error                          { return errors.ErrUnsupported }
func (e Endpoint) connect() (*os.File, error)           { return nil, errors.ErrUnsupported }
func listen(Endpoint, bool) (*Listener, error)          { return nil, errors.ErrUnsupported }
func adopt(Endpoint, *os.File) (*Listener, error)       { return nil, errors.ErrUnsupported }
func Activated(func(string) string) ([]*os.File, error) { return nil, errors.ErrUnsupported }
func (l *Listener) accept() (*os.File, error)           { return nil, errors.ErrUnsupported }
func (l *Listener) refuse() error                       { return errors.ErrUnsupported }
func (l *Listener) end() error                          { return errors.ErrUnsupported }
