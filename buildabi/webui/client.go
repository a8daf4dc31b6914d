package webui

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/coder/websocket"
	"github.com/larderbuild/larder/buildabi"
)

// DialOptions are for [Dial].
type DialOptions struct {
	// Version is what the server speaks. The default is V1.
	Version buildabi.Version
	// Header is sent with the request. The default is none.
	Header http.Header
	// Limit bounds a message from the server, in bytes. The default is 256 MiB.
	Limit int64
}

// Client is one session with a server. One goroutine may call Next; the other methods are safe for
// concurrent use.
type Client struct {
	ws     *websocket.Conn
	reader *buildabi.Reader
}

// Dial connects to a server at the address of its page, with the scheme http, https, ws or wss.
// Ctx is for the handshake. Nil options are the defaults.
func Dial(ctx context.Context, address string, o *DialOptions) (*Client, error) {
	if o == nil {
		o = new(DialOptions)
	}
	ws, response, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPHeader: o.Header, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return nil, fmt.Errorf("webui: dial: %w%s", err, reason(response))
	}
	limit := o.Limit
	if limit <= 0 {
		limit = 256 << 20
	}
	ws.SetReadLimit(limit)
	return &Client{ws, buildabi.NewReader(o.Version)}, nil
}

// reason is what a server said instead of a handshake.
func reason(r *http.Response) string {
	if r == nil || r.Body == nil {
		return ""
	}
	text, err := io.ReadAll(r.Body) // 1 KiB at most
	if err != nil || len(text) == 0 {
		return ""
	}
	return fmt.Sprintf(": %.200q", bytes.TrimSpace(text))
}

// Next waits for the next message, and returns it with what [buildabi.Reader.Next] finds in it. A
// message that cannot be decoded is a [*buildabi.MessageError]; the session can go on after it.
// After any other error it is over, as it is when ctx ends.
func (c *Client) Next(ctx context.Context) (buildabi.Message, []buildabi.Finding, error) {
	kind, b, err := c.ws.Read(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("webui: read: %w", err)
	}
	if kind != websocket.MessageBinary {
		b = nil // as it reaches Zig's client
	}
	return c.reader.Next(b)
}

// Rebuild asks for a build.
func (c *Client) Rebuild(ctx context.Context) error {
	b, _ := buildabi.Rebuild{}.AppendBinary(nil)
	if err := c.ws.Write(ctx, websocket.MessageBinary, b); err != nil {
		return fmt.Errorf("webui: rebuild: %w", err)
	}
	return nil
}

// Close ends the session, and ends Next. It waits up to 5 s for a server that says goodbye; Zig's
// does not.
func (c *Client) Close() error {
	if err := c.ws.Close(websocket.StatusNormalClosure, ""); err != nil {
		return fmt.Errorf("webui: close: %w", err)
	}
	return nil
}
