package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// relayed are the commands that a broker runs for others.
var relayed = [...]string{"stats", "verify", "prune"}

// relayTime is how long such a command may take: to read a large store once.
const relayTime = 24 * time.Hour

// relay has a broker run this command, and prints what it printed.
func (c *call) relay(ctx context.Context, client *ipc.Client) (int, error) {
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, relayTime)
	defer cancel()
	request := strings.Join(append([]string{c.name}, c.args...), "\x00")
	b, err := client.Call(ctx, opCommand, []byte(request))
	if err != nil {
		return exitFailure, err
	}
	a, err := parseAnswer(b)
	if err != nil {
		return exitFailure, err
	}
	_, err = c.stdout.Write(a.stdout)
	c.stderr.Write(a.stderr)
	return a.code, err
}

var errEnds = errors.New("not finished, because the broker ends")

// command runs a command of somebody else on the broker's store.
func (b *broker) command(ctx context.Context, r *ipc.Request) (*ipc.Response, error) {
	args := strings.Split(string(r.Payload), "\x00")
	if !slices.Contains(relayed[:], args[0]) {
		return nil, fmt.Errorf("a broker does not run %q", args[0])
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // ends with this handler
		select {
		case <-b.over: // who waits for this broker to end is not to wait for the command
			cancel(errEnds)
		case <-ctx.Done():
		}
	}()
	var stdout, stderr bytes.Buffer
	c := &call{stdout: &stdout, stderr: &stderr, broker: b, ctx: ctx}
	code := c.dispatch(args)
	return r.Reply(answer{code, stdout.Bytes(), stderr.Bytes()}.append(nil)), nil
}

// answer is how a command went: its exit code, u32, the length of what it printed on standard output,
// u32, that, and what it printed on standard error.
type answer struct {
	code           int
	stdout, stderr []byte
}

func (a answer) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(a.code))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(a.stdout)))
	return append(append(b, a.stdout...), a.stderr...)
}

func parseAnswer(b []byte) (a answer, err error) {
	if len(b) < 8 {
		return a, errShort
	}
	code, n := binary.LittleEndian.Uint32(b), uint64(binary.LittleEndian.Uint32(b[4:]))
	if b = b[8:]; n > uint64(len(b)) {
		return a, errShort
	}
	return answer{int(int32(code)), b[:n], b[n:]}, nil
}
