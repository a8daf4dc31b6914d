package cachetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing/iotest"

	"github.com/larderbuild/larder/cache"
)

// A put from readers is whole or nothing.
var streamRules = []rule{
	{"stream/any reader", streamAnyReader},
	{"stream/invisible until whole", streamInvisible},
	{"stream/reader fails", streamFails},
	{"stream/short", streamShort},
	{"stream/long", streamLong},
	{"stream/failure keeps the old", streamFailureKeepsOld},
	{"stream/failure and same content", streamFailureAndSameContent},
	{"stream/cancelled", streamCancelled},
}

var errBroken = errors.New("the reader broke")

// readerFunc is an [io.Reader] made of its Read.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func stream(name string, content io.Reader) Stream {
	return Stream{Name: name, Mode: 0o644, Size: -1, Content: content}
}

// breaking gives content and then fails.
func breaking(content []byte) io.Reader {
	return io.MultiReader(bytes.NewReader(content), iotest.ErrReader(errBroken))
}

// hesitant gives nothing, and no error, at every other read.
func hesitant(r io.Reader) io.Reader {
	idle := false
	return readerFunc(func(p []byte) (int, error) {
		if idle = !idle; idle {
			return 0, nil
		}
		return r.Read(p)
	})
}

// streamAnyReader uses every freedom that io.Reader gives.
func streamAnyReader(t *trial) {
	s := ability[Streamer](t, t.store)
	content := noise(5000, 1)
	for i, r := range []io.Reader{
		bytes.NewReader(content),
		iotest.OneByteReader(bytes.NewReader(content)),
		iotest.HalfReader(bytes.NewReader(content)),
		iotest.DataErrReader(bytes.NewReader(content)), // the last bytes come with io.EOF
		hesitant(bytes.NewReader(content)),
	} {
		sized := stream("sized", bytes.NewReader(content))
		sized.Size, sized.Mode = int64(len(content)), 0o755
		if err := s.PutStreams(t.ctx, keyOf(i), stream("out", r), sized); err != nil {
			t.Fatalf("put from reader %d: %v", i, err)
		}
		t.want(keyOf(i), Artifact{Outputs: []Output{
			{Name: "out", Mode: 0o644, Content: content},
			{Name: "sized", Mode: 0o755, Content: content},
		}})
	}
}

// streamInvisible looks at the store from inside a reader: at that time its put is under way.
func streamInvisible(t *trial) {
	s := ability[Streamer](t, t.store)
	t.put(keyOf(1), text("old"))
	for i, before := range []func() error{
		func() error { return absent(t.ctx, t.store, keyOf(0)) },
		func() error { return same(t.ctx, t.store, keyOf(1), text("old")) },
	} {
		look := readerFunc(func([]byte) (int, error) {
			other := keyOf(2)
			if err := errors.Join(before(), t.store.Put(t.ctx, other, text("other")),
				same(t.ctx, t.store, other, text("other"))); err != nil {
				return 0, err
			}
			return 0, io.EOF
		})
		r := io.MultiReader(strings.NewReader("new"), look)
		t.within("put whose reader uses the store", func() error {
			return s.PutStreams(t.ctx, keyOf(i), stream("out", r))
		})
		t.want(keyOf(i), text("new"))
		t.remove(keyOf(2)) // so the reader was read to its end
	}
}

// streamFails has a reader fail after an output that was read well.
func streamFails(t *trial) {
	s := ability[Streamer](t, t.store)
	for i, size := range []int{0, 100, 5000, 1 << 20} {
		err := s.PutStreams(t.ctx, keyOf(i),
			stream("fine", bytes.NewReader(noise(5000, 0))), stream("bad", breaking(noise(size, 1))))
		if !errors.Is(err, errBroken) {
			t.Errorf("put whose reader fails after %d bytes: %v; want its error", size, err)
		}
		t.miss(keyOf(i))
	}
	t.listed()
	t.roundTrip(keyOf(0), text("again"))
}

// streamShort and streamLong hold a store to the declared size: a body that was cut on its way
// must not become an artifact.
func streamShort(t *trial) {
	s := ability[Streamer](t, t.store)
	for i, size := range []int{0, 100, 5000, 1 << 20} {
		short := stream("short", bytes.NewReader(noise(size, 1)))
		short.Size = int64(size) + 1
		err := s.PutStreams(t.ctx, keyOf(i), stream("fine", bytes.NewReader(noise(5000, 0))), short)
		if !errors.Is(err, cache.ErrShortContent) {
			t.Errorf("put of %d bytes declared as %d: %v; want ErrShortContent", size, short.Size, err)
		}
		t.miss(keyOf(i))
	}
}

func streamLong(t *trial) {
	s := ability[Streamer](t, t.store)
	for i, size := range []int{1, 100, 5000, 1 << 20} {
		long := stream("long", bytes.NewReader(noise(size, 1)))
		long.Size = int64(size) - 1
		err := s.PutStreams(t.ctx, keyOf(i), long)
		if !errors.Is(err, cache.ErrTooLarge) {
			t.Errorf("put of %d bytes declared as %d: %v; want ErrTooLarge", size, long.Size, err)
		}
		t.miss(keyOf(i))
	}
}

func streamFailureKeepsOld(t *trial) {
	s := ability[Streamer](t, t.store)
	t.put(keyOf(0), text("old"))
	if err := s.PutStreams(t.ctx, keyOf(0), stream("out", breaking(noise(5000, 1)))); err == nil {
		t.Error("put whose reader fails: no error")
	}
	t.want(keyOf(0), text("old"))
}

// streamFailureAndSameContent fails a put after content that another key has: giving that up must
// not take the other's.
func streamFailureAndSameContent(t *trial) {
	s := ability[Streamer](t, t.store)
	for i, size := range sharedSizes {
		content := noise(size, i)
		t.put(keyOf(i), file(content))
		err := s.PutStreams(t.ctx, keyOf(i+10),
			stream("same", bytes.NewReader(content)), stream("bad", breaking(nil)))
		if err == nil {
			t.Error("put whose reader fails: no error")
		}
		t.want(keyOf(i), file(content))
	}
}

// streamCancelled ends the context after the last byte and before the put can be done.
func streamCancelled(t *trial) {
	s := ability[Streamer](t, t.store)
	for i, size := range []int{100, 5000} {
		t.part(fmt.Sprint(size), func(t *trial) {
			ctx, cancel := context.WithCancel(t.ctx)
			defer cancel()
			ends := readerFunc(func([]byte) (int, error) {
				cancel()
				return 0, io.EOF
			})
			r := io.MultiReader(bytes.NewReader(noise(size, i)), ends)
			if err := s.PutStreams(ctx, keyOf(i), stream("out", r)); !errors.Is(err, context.Canceled) {
				t.Errorf("put that is cancelled while it reads: %v; want context.Canceled", err)
			}
			t.miss(keyOf(i))
		})
	}
}
