package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/larderbuild/larder/cache/gocacheprog"
	"github.com/larderbuild/larder/ipc"
)

// brokered is the store as a go command's cache program sees it through the broker. Once a call has
// failed, and not because another broker took over, the session does without.
type brokered struct {
	c      *ipc.Client
	failed atomic.Pointer[error] // why the session does without

	ahead ahead

	mu      sync.Mutex
	id      uint64 // of the session; 0 before the first
	stream  *ipc.Stream
	reading sync.WaitGroup
}

// sendWhole is up to which size in bytes a body goes with its request.
const sendWhole = 256 << 10

// Get implements [gocacheprog.Store].
func (b *brokered) Get(ctx context.Context, action gocacheprog.ID) (o gocacheprog.Object, err error) {
	o, ok, before := b.ahead.take(action)
	if ok {
		return o, nil
	}
	return b.ask(ctx, action, before)
}

// ask asks the broker for what is stored under action; before is action itself when the go command did not ask.
func (b *brokered) ask(ctx context.Context, action, before gocacheprog.ID) (o gocacheprog.Object, err error) {
	err = b.do(ctx, func(session uint64) error {
		var room [getBytes + 512]byte
		request := append(binary.LittleEndian.AppendUint64(room[:0], session), action[:]...)
		request = append(request, before[:]...)
		answer, err := b.c.CallAppend(room[getBytes:getBytes], opGet, request, 0)
		if err != nil {
			return err
		}
		if len(answer) == 0 {
			return gocacheprog.ErrMiss
		}
		o, err = parseObject(answer)
		return err
	})
	return o, err
}

// Put implements [gocacheprog.Store]. What another go command has put meanwhile is not put again.
func (b *brokered) Put(
	ctx context.Context, action, output gocacheprog.ID, body io.Reader,
) (o gocacheprog.Object, err error) {
	b.ahead.drop(action)
	if o, err := b.ask(ctx, action, action); err == nil && o.Output == output {
		_, err := io.Copy(io.Discard, body)
		return o, err
	}
	begin := make([]byte, sendWhole+1)
	n, err := io.ReadFull(body, begin)
	whole := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if err != nil && !whole {
		return o, err
	}
	h := putHead{action: action, output: output}
	if whole {
		return b.send(ctx, h, begin[:n])
	}
	return b.upload(ctx, h, begin[:n], body)
}

func (b *brokered) send(ctx context.Context, h putHead, body []byte) (o gocacheprog.Object, err error) {
	err = b.do(ctx, func(session uint64) error {
		h.session = session
		request := append(h.append(make([]byte, 0, putHeadBytes+len(body))), body...)
		answer, err := b.c.Call(ctx, opPut, request)
		if err == nil {
			o, err = parseObject(answer)
		}
		return err
	})
	return o, err
}

// upload streams a large body. It cannot be read twice, so the session is renewed before, if need be.
func (b *brokered) upload(
	ctx context.Context, h putHead, begin []byte, rest io.Reader,
) (o gocacheprog.Object, err error) {
	if failed := b.failed.Load(); failed != nil {
		return o, *failed
	}
	if h.session, err = b.session(ctx, 0); err != nil {
		return o, err
	}
	st, err := b.c.Open(ctx, opUpload, h.append(nil))
	if err != nil {
		return o, err
	}
	defer st.Close()
	if _, err := st.Write(begin); err != nil {
		return o, err
	}
	if _, err := io.Copy(st, rest); err != nil {
		return o, err // closing without an end makes the put fail over there too
	}
	if err := st.CloseWrite(); err != nil {
		return o, err
	}
	answer, err := io.ReadAll(st)
	if err != nil {
		return o, err
	}
	return parseObject(answer)
}

// tries is how often a call is made: a broker may end, or begin, in the middle of any. One that is wedged is
// replaced on the way.
const tries = 3

// do makes a call within the session. All calls may be made twice.
func (b *brokered) do(ctx context.Context, call func(session uint64) error) error {
	if failed := b.failed.Load(); failed != nil {
		return *failed
	}
	var old uint64
	for try := 1; ; try++ {
		id, err := b.session(ctx, old)
		if err == nil {
			err = call(id)
		}
		remote, answered := errors.AsType[*ipc.RemoteError](err)
		switch {
		case err == nil, errors.Is(err, gocacheprog.ErrMiss), answered && remote.Code != codeNoSession:
			return err
		case try == tries, errors.Is(err, ipc.ErrTimeout), ctx.Err() != nil:
			b.failed.CompareAndSwap(nil, &err)
			return err
		}
		old = id
	}
}

// session returns the session's number, and begins one if there is none but old.
func (b *brokered) session(ctx context.Context, old uint64) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.id != 0 && b.id != old {
		return b.id, nil
	}
	if b.stream != nil {
		b.stream.Close()
	}
	b.id = 0
	var err error
	if b.stream, err = b.c.Open(context.WithoutCancel(ctx), opSession, nil); err != nil {
		b.stream = nil
		return 0, err
	}
	var number [8]byte
	if _, err := io.ReadFull(b.stream, number[:]); err != nil {
		return 0, err
	}
	b.id = binary.LittleEndian.Uint64(number[:])
	st := b.stream
	b.reading.Go(func() { b.ahead.read(st) }) // ends with the stream; Release waits
	return b.id, nil
}

// Release implements [gocacheprog.Store]: the broker gives the leases back.
func (b *brokered) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stream != nil {
		b.stream.Close()
	}
	b.c.Close()
	b.reading.Wait()
}
