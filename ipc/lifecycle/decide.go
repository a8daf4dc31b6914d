package lifecycle

import "github.com/larderbuild/larder/ipc"

// Decision is what [Ensure] is to do about a server that it has found.
type Decision uint8

const (
	UseIt     Decision = 1 + iota // talk to it, once it answers
	WaitForIt                     // look again in a moment: it is about to come or to go
	ReplaceIt                     // stop it and start another
	RefuseIt                      // leave it alone and give up, with a [RefusedError]
)

// ServerInfo is what [Ensure] knows of the server that it has found.
type ServerInfo struct {
	ipc.ServerInfo // what it answered; State also if it did not answer, from its claim
	// Holder is what the claim says of its owner.
	Holder Info
	// Err is why the server did not answer; nil if it did.
	Err error
	// Probes counts the looks that ended in the same trouble, this one included: a server
	// that did not answer, or a version that could not be compared.
	Probes int
}

// PreferNewer decides by version: an equal or newer server is used, an older one replaced, and one
// that comes or goes is waited for. One that did not answer, or whose version compare cannot tell,
// is replaced after the second look that ended so. Compare returns a negative number if its first
// argument is older than the second. Without it any other version is refused: nothing tells which
// one is older, and two programs must not replace each other's server in turn.
func PreferNewer(own string, compare func(a, b string) (int, error)) func(ServerInfo) Decision {
	return func(s ServerInfo) Decision {
		switch {
		case s.State == ipc.Starting || s.State == ipc.Draining:
			return WaitForIt
		case s.Err != nil:
			return afterSecond(s)
		case s.Version == own:
			return UseIt
		case compare == nil:
			return RefuseIt
		}
		order, err := compare(s.Version, own)
		switch {
		case err != nil:
			return afterSecond(s)
		case order < 0:
			return ReplaceIt
		}
		return UseIt
	}
}

func afterSecond(s ServerInfo) Decision {
	if s.Probes < 2 {
		return WaitForIt
	}
	return ReplaceIt
}
