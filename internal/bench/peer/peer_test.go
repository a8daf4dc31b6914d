package peer_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/larderbuild/larder/internal/bench/content"
	"github.com/larderbuild/larder/internal/bench/peer"
)

// A store that loses or mixes up values would win every comparison.
func TestKindsKeepWhatTheyAreGiven(t *testing.T) {
	pool := content.NewPool(1 << 20)
	for _, kind := range append(peer.Kinds(), peer.Ours()) {
		for _, mode := range []peer.Mode{{Putters: 1}, {Putters: 4}, {Durable: true, Putters: 1}} {
			if mode.Durable && !kind.CanSync {
				continue
			}
			t.Run(kind.Name, func(t *testing.T) { keeps(t, kind, mode, pool) })
		}
	}
}

func keeps(t *testing.T, kind peer.Kind, mode peer.Mode, pool *content.Pool) {
	dir := filepath.Join(t.TempDir(), "store")
	sizes := []int{1, 256, 1 << 10, 64 << 10, 1 << 20}
	s, err := kind.Open(dir, mode)
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range sizes {
		if err := s.Put(content.Key(i), pool.Value(i, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = kind.Open(dir, mode)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, size := range sizes {
		got, err := s.Get(content.Key(i))
		if err != nil || !bytes.Equal(got, pool.Value(i, size)) {
			t.Errorf("%d bytes: got %d, error %v", size, len(got), err)
		}
	}
	if _, err := s.Get(content.Key(-1)); !errors.Is(err, peer.ErrNotFound) {
		t.Errorf("absent key: error %v, want %v", err, peer.ErrNotFound)
	}
}
