package goprog

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Client is the go command's end. It has one request under way at a time.
type Client struct {
	out  *bufio.Writer
	enc  *json.Encoder
	dec  *json.Decoder
	last int64
}

// NewClient reads the program's announcement from r.
func NewClient(r io.Reader, w io.Writer) (*Client, error) {
	c := &Client{out: bufio.NewWriterSize(w, 64<<10), dec: json.NewDecoder(r)}
	c.enc = json.NewEncoder(c.out)
	var hello response
	if err := c.dec.Decode(&hello); err != nil {
		return nil, fmt.Errorf("goprog: announcement: %w", err)
	}
	return c, nil
}

// Put sends the body of e, which is at e.Path, and returns the path that the program gives it.
func (c *Client) Put(action ID, e Entry) (string, error) {
	req := &request{Command: put, ActionID: action[:], OutputID: e.Output[:], BodySize: e.Size}
	resp, err := c.call(req, func() error { return c.body(e) })
	return resp.DiskPath, err
}

// Get returns the path of the action's output, or "" for a miss.
func (c *Client) Get(action ID) (string, error) {
	resp, err := c.call(&request{Command: get, ActionID: action[:]}, nil)
	return resp.DiskPath, err
}

// Close tells the program to end.
func (c *Client) Close() error {
	_, err := c.call(&request{Command: closeDown}, nil)
	if errors.Is(err, io.EOF) { // a program may leave without an answer
		return nil
	}
	return err
}

func (c *Client) call(req *request, body func() error) (resp response, err error) {
	c.last++
	req.ID = c.last
	err = c.enc.Encode(req)
	if err == nil {
		err = c.out.WriteByte('\n')
	}
	if err == nil && body != nil {
		err = body()
	}
	if err == nil {
		err = c.out.Flush()
	}
	if err == nil {
		err = c.dec.Decode(&resp)
	}
	switch {
	case err != nil:
		return resp, fmt.Errorf("goprog: %s: %w", req.Command, err)
	case resp.ID != req.ID:
		return resp, fmt.Errorf("goprog: %s: answer to request %d, not %d", req.Command, resp.ID, req.ID)
	case resp.Err != "":
		return resp, fmt.Errorf("goprog: %s: program says: %s", req.Command, resp.Err)
	}
	return resp, nil
}

func (c *Client) body(e Entry) error {
	if e.Size == 0 {
		return nil
	}
	f, err := os.Open(e.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	c.out.WriteByte('"')
	enc := base64.NewEncoder(base64.StdEncoding, c.out)
	n, err := io.Copy(enc, f)
	if err == nil && n != e.Size {
		err = fmt.Errorf("%s has %d bytes, not %d", e.Path, n, e.Size)
	}
	if err := errors.Join(err, enc.Close()); err != nil {
		return err
	}
	_, err = c.out.WriteString("\"\n")
	return err
}
