package ipc

import "os"

// What the tests of endpoints see of the rest of the package.
const (
	ClaimSuffix = claimSuffix
	StartSuffix = startSuffix
)

func PeerOf(f *os.File) (Peer, error) { return peerOf(f) }
