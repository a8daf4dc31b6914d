package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// player sends a recording to each client, from its start.
type player struct {
	frames []sent
	speed  float64
	log    *slog.Logger
}

// ServeHTTP returns when the client or the server goes: after the last message nothing happens
// any more, as after a build.
func (p *player) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // the origin has been checked
		CompressionMode:    websocket.CompressionDisabled})
	if err != nil {
		return // the client has been told
	}
	ctx, stop := context.WithCancelCause(r.Context())
	gone := make(chan struct{})
	go func() { // until the connection is closed
		defer close(gone)
		for {
			if _, _, err := ws.Read(ctx); err != nil { // clicks change nothing
				stop(err)
				return
			}
		}
	}()
	p.play(ctx, ws)
	<-gone
	ws.CloseNow()
	p.log.Debug("replay over", "error", context.Cause(ctx))
}

// play sends the messages at their times.
func (p *player) play(ctx context.Context, ws *websocket.Conn) {
	begin := time.Now()
	for _, f := range p.frames {
		due := begin.Add(time.Duration(float64(f.at) / p.speed))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return
		}
		if err := ws.Write(ctx, websocket.MessageBinary, f.message); err != nil {
			return // Read fails as well
		}
	}
}
