package ipc

import (
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
)

// ErrFolder is the root of the errors that refuse an endpoint's folder: it belongs to somebody
// else, others may write to it, or it is not a folder. It is a fault that no retry mends.
var ErrFolder = errors.New("ipc: folder refused")

// Endpoint names one server of one user on this machine: a socket in a folder of that user, or a
// named pipe. It is a value: comparable, free to copy. The zero value names nothing.
type Endpoint struct {
	addr string // path of the socket, or name of the pipe
	base string // path that the files beside the endpoint begin with
}

var errNoEndpoint = errors.New("ipc: the endpoint is the zero value, which names nothing")

const (
	// maxPath bounds the path of a socket, the name it has before it listens included. Linux
	// takes 107 bytes, macOS 103.
	maxPath = 100
	// maxLabel bounds the readable part of a name.
	maxLabel = 24
	// hashLen is the length of a 128-bit hash in base 36, at most.
	hashLen = 26
	// temporaryLen is the length of what a socket's name ends in before it listens.
	temporaryLen = len(".t") + 8
)

// NewEndpoint names a server by scopes, such as the program, a project and a hash of its options:
// equal scopes, equal endpoint, so that programs which give none share one. It lies in one fixed
// folder per user, which no variable of the environment moves, so that all programs of the user
// find one server: /tmp/larder-UID, or larder in the local application data on Windows. NewEndpoint
// makes the folder if it is missing. The error is an [ErrFolder] if the folder is there but cannot
// be trusted.
func NewEndpoint(scope ...string) (Endpoint, error) {
	dir, err := userFolder()
	if err != nil {
		return Endpoint{}, err
	}
	return NewEndpointIn(dir, scope...)
}

// NewEndpointIn is [NewEndpoint] with a folder of the caller's choice, which must be named: "" is
// an [ErrFolder]. The folder is made if it is missing; those above it must be there. It must belong
// to this user, nobody else may write to it, and its path may have at most 60 bytes or so: the
// system limits the path of a socket.
func NewEndpointIn(dir string, scope ...string) (Endpoint, error) {
	if dir == "" {
		return Endpoint{}, refuse(`""`, "no folder was given")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Endpoint{}, err
	}
	if err := checkFolder(dir); err != nil {
		return Endpoint{}, err
	}
	name := hashScope(scope)
	room := maxPath - len(dir) - 1 - hashLen - temporaryLen - 1
	if len(scope) > 0 && room > 0 {
		name = label(scope[0], min(room, maxLabel)) + "-" + name
	}
	base := filepath.Join(dir, name)
	addr, err := address(base)
	if err != nil {
		return Endpoint{}, err
	}
	return Endpoint{addr: addr, base: base}, nil
}

// String returns the path of the socket, or the name of the pipe.
func (e Endpoint) String() string { return e.addr }

// Beside returns the path of a file that belongs to the endpoint's server and lies in the
// endpoint's folder, such as its log. The suffixes .sock, .t and those in lower case
// are the library's own.
func (e Endpoint) Beside(suffix string) string { return e.base + suffix }

// The files beside an endpoint that say that somebody is there or on the way.
const (
	claimSuffix = ".lock"
	startSuffix = ".start"
)

// hashScope mixes the lengths in, so that no two lists of scopes look alike.
func hashScope(scope []string) string {
	h := fnv.New128a()
	for _, s := range scope {
		h.Write(strconv.AppendInt(nil, int64(len(s)), 10))
		h.Write([]byte{':'})
		h.Write([]byte(s))
	}
	sum := h.Sum(nil)
	return strconv.FormatUint(word(sum[:8]), 36) + strconv.FormatUint(word(sum[8:]), 36)
}

func word(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// label is what of a scope may stand in a file's name, for people who look into the folder.
func label(scope string, limit int) string {
	b := make([]byte, 0, limit)
	for _, c := range []byte(filepath.Base(scope)) {
		if len(b) == limit {
			break
		}
		plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !plain {
			c = '_'
		}
		b = append(b, c)
	}
	return string(b)
}

func refuse(dir, why string) error {
	return &os.PathError{Op: "ipc: use folder", Path: dir, Err: folderError(why)}
}

// folderError is a reason to refuse a folder.
type folderError string

func (e folderError) Error() string        { return string(e) }
func (e folderError) Is(target error) bool { return target == ErrFolder }
