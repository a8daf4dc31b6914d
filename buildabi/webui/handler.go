package webui

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/larderbuild/larder/buildabi"
)

// Handler serves a board with [buildabi.NewHandler], and takes its WebSockets unless the options
// have a Connect of their own. Options without Files get the page of this package, with a content
// policy that keeps it from everything but this server. Nil options are the defaults. Serve it
// with [buildabi.Serve] or another server that ends the requests' contexts when it ends; the
// sessions end with them.
func Handler(b *buildabi.Board, o *buildabi.HandlerOptions) http.Handler {
	options := buildabi.HandlerOptions{}
	if o != nil {
		options = *o
	}
	log := options.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if options.Connect == nil {
		options.Connect = &connector{b, log}
	}
	if options.Files != nil {
		return buildabi.NewHandler(b, &options)
	}
	options.Files = page()
	return withPolicy(buildabi.NewHandler(b, &options))
}

// connector makes a session of each WebSocket request. The handler before it has checked where
// the request comes from.
type connector struct {
	board *buildabi.Board
	log   *slog.Logger
}

// ServeHTTP returns when the session is over and its connection closed.
func (h *connector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["Date"] = nil // Zig's server sends what the upgrade needs and nothing else
	c := &conn{serving: r.Context(), out: passWriter{wire: &wire{turn: make(chan struct{}, 1)}}}
	ws, err := websocket.Accept(&hijacker{w, c.out.wire}, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // the origin has been checked
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return // the client has been told
	}
	c.ws = ws
	ws.SetReadLimit(buildabi.MaxRequest)
	err = h.board.Serve(r.Context(), c)
	if closed, ok := errors.AsType[*buildabi.CloseError](err); ok {
		c.close(websocket.StatusCode(closed.Code), closed.Reason)
	}
	ws.CloseNow()
	h.log.Debug("session over", "error", err)
}

// conn is the message connection of one session. It can ping.
type conn struct {
	ws      *websocket.Conn
	out     passWriter
	serving context.Context // ends when the server does
}

// Read returns the next message. A cancelled read would drop the connection at once, so it is
// ended by closing that, for which there is a code when the server ends.
func (c *conn) Read(ctx context.Context) ([]byte, error) {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		if c.serving.Err() != nil {
			c.close(websocket.StatusGoingAway, "server ends")
		}
		c.ws.CloseNow()
	})
	kind, b, err := c.ws.Read(context.WithoutCancel(ctx))
	if !stop() {
		<-closed
		return nil, context.Cause(ctx)
	}
	if err == nil && kind != websocket.MessageBinary {
		err = &buildabi.CloseError{Code: buildabi.CloseUnsupported, Reason: "only binary messages"}
	}
	return b, err
}

// close says goodbye. While it waits for the client's, the WebSocket drops what else comes, without a limit of time for
// the payload of a frame: the connection has one.
func (c *conn) close(code websocket.StatusCode, reason string) {
	c.out.wire.SetReadDeadline(time.Now().Add(goodbye))
	c.ws.Close(code, reason)
}

// goodbye is how long a client has for its own.
const goodbye = 5 * time.Second

// Write sends the messages of a pass: a frame each, and all of them in one call.
func (c *conn) Write(ctx context.Context, msgs [][]byte) error { return c.out.write(ctx, msgs) }

// Ping waits for the client's answer.
func (c *conn) Ping(ctx context.Context) error { return c.ws.Ping(ctx) }
