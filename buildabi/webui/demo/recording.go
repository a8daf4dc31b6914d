package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// frame is one message of a recording: a line of JSON.
type frame struct {
	Ms  float64 `json:"t_ms"` // since the session began
	Dir string  `json:"dir"`  // toClient or toServer
	Hex string  `json:"hex"`
}

const (
	toClient = "s2c"
	toServer = "c2s"
)

// sent is a message to a client.
type sent struct {
	at      time.Duration
	message []byte
}

// readRecording returns what the server sent.
func readRecording(path string) ([]sent, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := io.Reader(bufio.NewReader(f))
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	var all []sent
	for d, n := json.NewDecoder(r), 1; ; n++ {
		var line frame
		err := d.Decode(&line)
		if errors.Is(err, io.EOF) {
			break
		}
		message, bad := hex.DecodeString(line.Hex)
		if err := errors.Join(err, bad); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
		if line.Dir == toClient {
			all = append(all, sent{time.Duration(line.Ms * float64(time.Millisecond)), message})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no message from a server", path)
	}
	return all, nil
}

// recorder is a client that writes down what it is sent. It is safe for concurrent use.
type recorder struct {
	mu    sync.Mutex
	file  *os.File
	out   *bufio.Writer
	begin time.Time
}

// newRecorder makes the file; run closes it.
func newRecorder(path string) (*recorder, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &recorder{file: f, out: bufio.NewWriter(f), begin: time.Now()}, nil
}

// run records what a board shows while work goes on.
func (r *recorder) run(ctx context.Context, b *buildabi.Board, work func(context.Context) error,
) error {
	ctx, stop := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() { // until ctx ends; waited for below
		err := b.Serve(ctx, r)
		stop(err)
		done <- err
	}()
	err := work(ctx)
	stop(err)
	<-done
	return errors.Join(context.Cause(ctx), r.out.Flush(), r.file.Close())
}

// Read has nothing to say: clicks are recorded by clicked.
func (r *recorder) Read(ctx context.Context) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Write records a pass.
func (r *recorder) Write(_ context.Context, msgs [][]byte) error {
	for _, m := range msgs {
		if err := r.add(toClient, m); err != nil {
			return err
		}
	}
	return nil
}

// clicked records a click of any client.
func (r *recorder) clicked() {
	message, _ := buildabi.Rebuild{}.AppendBinary(nil)
	r.add(toServer, message) // an error stays with the writer and comes with the next message
}

func (r *recorder) add(dir string, message []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	ms := float64(time.Since(r.begin).Microseconds()) / 1000
	line, err := json.Marshal(frame{ms, dir, hex.EncodeToString(message)})
	if err != nil {
		return err
	}
	r.out.Write(append(line, '\n')) // the same
	return r.out.Flush()
}
