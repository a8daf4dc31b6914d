package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/larderbuild/larder/ipc"
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

// log writes an event to standard error: of the server, whose standard error is its log, and of the
// client only if it says why something was done.
func (a *app) log(e ipc.Event) {
	if a.ready != "" {
		fmt.Fprintf(a.errors, "%s %s process=%d old=%d version=%s reason=%q error=%v\n",
			e.Time.Format(time.RFC3339Nano), e.Kind, os.Getpid(), e.Old, e.Version, e.Reason, e.Err)
	}
	if a.events != nil {
		a.events(e)
	}
}
