package cachetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/larderbuild/larder/cache"
)

// readers spoils the readers of a put.
func readers(change func(io.Reader) io.Reader) fault {
	return func(m *memory, f *faulty) {
		f.streams = func(ctx context.Context, key cache.Key, list []stream) error {
			for i := range list {
				list[i].Content = change(list[i].Content)
			}
			return m.PutStreams(ctx, key, list...)
		}
	}
}

// onFailure does something more when a put from readers fails.
func onFailure(do func(m *memory, key cache.Key, read [][]byte)) fault {
	return func(m *memory, f *faulty) {
		f.streams = func(ctx context.Context, key cache.Key, list []stream) error {
			var read []*bytes.Buffer
			for i := range list {
				b := new(bytes.Buffer)
				list[i].Content = io.TeeReader(list[i].Content, b)
				read = append(read, b)
			}
			err := m.PutStreams(ctx, key, list...)
			if err != nil && ctx.Err() == nil {
				var contents [][]byte
				for _, b := range read {
					contents = append(contents, b.Bytes())
				}
				do(m, key, contents)
			}
			return err
		}
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

var wrongStreams = []wrong{
	{"takes a read of nothing for the end", readers(func(r io.Reader) io.Reader {
		return readFunc(func(p []byte) (int, error) {
			n, err := r.Read(p)
			if n == 0 && err == nil {
				err = io.EOF
			}
			return n, err
		})
	}), []string{"stream/any reader"}},
	{"drops bytes that come with the end", readers(func(r io.Reader) io.Reader {
		return readFunc(func(p []byte) (int, error) {
			n, err := r.Read(p)
			if err == io.EOF {
				n = 0
			}
			return n, err
		})
	}), []string{"stream/any reader"}},
	{"shows a put before it is whole", func(m *memory, f *faulty) {
		f.streams = func(ctx context.Context, key cache.Key, list []stream) error {
			_, there := m.Value(key)
			if !there {
				_ = m.Put(ctx, key, artifact{})
			}
			err := m.PutStreams(ctx, key, list...)
			if err != nil && !there {
				_ = m.Delete(ctx, key)
			}
			return err
		}
	}, []string{"stream/invisible until whole"}},
	{"drops the old before a put is whole", func(m *memory, f *faulty) {
		f.streams = func(ctx context.Context, key cache.Key, list []stream) error {
			old, there := m.Value(key)
			_ = m.Delete(ctx, key)
			err := m.PutStreams(ctx, key, list...)
			if err != nil && there {
				m.StoreUnchecked(key, old)
			}
			return err
		}
	}, []string{"stream/invisible until whole"}},
	{"swallows errors of readers", readers(func(r io.Reader) io.Reader {
		return readFunc(func(p []byte) (int, error) {
			n, err := r.Read(p)
			if err != nil {
				err = io.EOF
			}
			return n, err
		})
	}), []string{
		"stream/reader fails", "stream/failure keeps the old", "stream/failure and same content",
	}},
	{"hides errors of readers", func(m *memory, f *faulty) {
		f.streams = func(ctx context.Context, key cache.Key, list []stream) error {
			err := m.PutStreams(ctx, key, list...)
			if err != nil && ctx.Err() == nil && !errors.Is(err, cache.ErrClosed) &&
				!errors.Is(err, cache.ErrShortContent) && !errors.Is(err, cache.ErrTooLarge) {
				return errors.New("put failed")
			}
			return err
		}
	}, []string{"stream/reader fails"}},
	{"keeps a part of a failed put", onFailure(func(m *memory, key cache.Key, read [][]byte) {
		if _, there := m.Value(key); !there && len(read) > 1 && len(read[0]) == 5000 {
			m.StoreUnchecked(key, artifact{})
		}
	}), []string{"stream/reader fails", "stream/short"}},
	{"ignores that content is short", func(m *memory, f *faulty) {
		f.streams = func(ctx context.Context, key cache.Key, list []stream) error {
			for i, s := range list {
				if s.Size > 0 {
					list[i].Content, list[i].Size = io.LimitReader(s.Content, s.Size+1), -1
				}
			}
			return m.PutStreams(ctx, key, list...)
		}
	}, []string{"stream/short", "stream/long"}},
	{"cuts what is long", func(m *memory, f *faulty) {
		f.streams = func(ctx context.Context, key cache.Key, list []stream) error {
			for i, s := range list {
				if s.Size >= 0 {
					list[i].Content = io.LimitReader(s.Content, s.Size)
				}
			}
			return m.PutStreams(ctx, key, list...)
		}
	}, []string{"stream/long"}},
	{"drops the old when a put fails", onFailure(func(m *memory, key cache.Key, _ [][]byte) {
		_ = m.Delete(context.Background(), key)
	}), []string{"stream/failure keeps the old"}},
	{"drops shared content when a put fails", onFailure(func(m *memory, _ cache.Key, read [][]byte) {
		for _, key := range m.Keys() {
			if a, _ := m.Value(key); bytes.Equal(only(a), read[0]) {
				_ = m.Delete(context.Background(), key)
			}
		}
	}), []string{"stream/failure and same content"}},
	{"streams whatever the context says", func(m *memory, f *faulty) {
		f.streams = func(ctx context.Context, key cache.Key, list []stream) error {
			return m.PutStreams(context.WithoutCancel(ctx), key, list...)
		}
	}, []string{"stream/cancelled"}},
	{"streams, then looks at the context", func(m *memory, f *faulty) {
		f.streams = func(ctx context.Context, key cache.Key, list []stream) error {
			return errors.Join(m.PutStreams(context.WithoutCancel(ctx), key, list...), ctx.Err())
		}
	}, []string{"stream/cancelled"}},
}
