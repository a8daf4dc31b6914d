package ipc

import (
	"context"
	"os"
)

// What the tests of endpoints see of the rest of the package.
const (
	MaxPath     = maxPath
	ClaimSuffix = claimSuffix
	StartSuffix = startSuffix
)

func (e Endpoint) DialFile(ctx context.Context) (*os.File, error) { return e.dial(ctx) }

func PeerOf(f *os.File) (Peer, error) { return peerOf(f) }
