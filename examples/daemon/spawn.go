package main

import (
	"context"
	"errors"
	"os"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// spawn starts this same program as a server that outlives it: it gets the readiness handle and
// nothing else of ours. Its output goes to a log.
func (a *app) spawn(_ context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(a.ep.Beside(".log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	attr := &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{null, log, log}, Dir: rootFolder, Sys: detached(),
	}
	args := []string{self, "serve", "-scope", a.scope, "-dir", a.dir, "-version", a.version,
		"-idle", a.idle.String(), "-ready", info.Inherit(attr)}
	p, err := os.StartProcess(self, args, attr)
	if err != nil {
		return nil, err
	}
	exited := make(chan error, 1)
	go func() { // ends with the server, or with this program
		state, err := p.Wait()
		if err == nil && !state.Success() {
			err = errors.New(state.String())
		}
		exited <- err
	}()
	return exited, nil
}

// kill ends a process at once, unless its number has gone to another one.
func kill(_ context.Context, p ipc.Process) error {
	found, err := os.FindProcess(p.PID)
	if err != nil {
		return nil // it has ended
	}
	defer found.Release()
	if !p.Alive() {
		return nil
	}
	if err := found.Kill(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}
