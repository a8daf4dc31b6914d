package gocacheprog_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/gocacheprog"
)

// BenchmarkGets is a warm build: a thousand gets at a time, all of them hits.
func BenchmarkGets(b *testing.B) {
	store, err := cache.Open(b.Context(), b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close(context.Background())
	over := gocacheprog.Over(store)
	var gets strings.Builder
	for i := range 1000 {
		action := sha256.Sum256(fmt.Append(nil, i))
		body := fmt.Append(nil, "body ", i)
		if _, err := over.Put(b.Context(), action, sha256.Sum256(body), bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
		fmt.Fprintf(&gets, "{\"ID\":%d,\"Command\":\"get\",\"ActionID\":%q}\n\n", i+1, base64ID(action))
	}
	over.Release()
	text := gets.String()
	b.ReportAllocs()
	for b.Loop() {
		open := gocacheprog.Opened(gocacheprog.Over(store))
		if err := gocacheprog.Serve(b.Context(), strings.NewReader(text), io.Discard, open, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/get")
}

// BenchmarkPuts decodes and stores bodies.
func BenchmarkPuts(b *testing.B) {
	for _, size := range []int{100, 100_000, 10_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			store, err := cache.Open(b.Context(), b.TempDir(), &cache.Options{Durability: cache.None})
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close(context.Background())
			body := content(size)
			text := bodyLine(body)
			sum := sha256.Sum256(body)
			line := fmt.Sprintf("{\"ID\":1,\"Command\":\"put\",\"ActionID\":%q,\"OutputID\":%q,\"BodySize\":%d}\n\n%s",
				someID, base64ID(sum), size, text)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				open := gocacheprog.Opened(gocacheprog.Over(store))
				if err := gocacheprog.Serve(b.Context(), strings.NewReader(line), io.Discard, open, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
