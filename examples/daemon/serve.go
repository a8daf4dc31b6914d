package main

import (
	"context"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipcjson"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// opEcho answers with the request's payload.
const opEcho = 1

// serve is the server. Its output is a log: nobody watches it.
func (a *app) serve(ctx context.Context, _ []string) error {
	starter, err := lifecycle.OpenReadiness(a.ready)
	if err != nil {
		return err
	}
	if err := lifecycle.CloseInherited(); err != nil {
		return err
	}
	srv := ipc.NewServer(&ipc.ServerOptions{Version: a.version, IdleAfter: a.idle, Events: a.log})
	srv.Handle(opEcho, func(_ context.Context, r *ipc.Request) (*ipc.Response, error) {
		return r.Reply(r.Payload), nil
	})
	if a.register != nil {
		a.register(srv)
	}
	claim, err := lifecycle.Claim(ctx, a.ep, &lifecycle.ClaimOptions{
		Version: a.version, Instance: srv.Info().Instance, Starter: starter, Events: a.log,
	})
	if err != nil {
		srv.Close()
		return err
	}
	return srv.Serve(ctx, claim)
}

// log appends an event to the one file of all servers and clients of the endpoint, which tells
// afterwards why a server came and went.
func (a *app) log(e ipc.Event) {
	a.journal().Event(e)
	if a.events != nil {
		a.events(e)
	}
}

func (a *app) journal() *ipcjson.Log { return ipcjson.NewLog(a.ep.Beside(".events"), 0) }
