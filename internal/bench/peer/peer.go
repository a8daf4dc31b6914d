// Package peer puts the libraries that a host could use instead of this one behind one small
// interface, and this library too, so that all are measured by the same code.
package peer

import "errors"

// Store is a cache of bytes under 32-byte keys. Its methods are safe for concurrent use, except Close.
type Store interface {
	Put(key [32]byte, value []byte) error
	// Get returns the whole value in memory of its own; ErrNotFound is a miss.
	Get(key [32]byte) ([]byte, error)
	Close() error
}

// ErrNotFound reports that no value is stored under the key.
var ErrNotFound = errors.New("bench: not found")

// Mode says how a store is used.
type Mode struct {
	Durable bool // a put returns after its bytes were synced
	Putters int  // how many goroutines will put; a store may choose its way of committing by it
}

// Kind is one sort of store.
type Kind struct {
	Name    string
	Module  string // whose version stands in the machine line; "" for the standard library
	CanSync bool   // whether Mode.Durable can be had; without it there is no durable row
	Open    func(dir string, m Mode) (Store, error)
}

// Kinds lists the peers, this library not among them.
func Kinds() []Kind {
	return []Kind{
		{Name: "go-internal/cache", Module: "github.com/rogpeppe/go-internal", Open: openGoCache},
		{Name: "badger", Module: "github.com/dgraph-io/badger/v4", CanSync: true, Open: openBadger},
		{Name: "bbolt", Module: "go.etcd.io/bbolt", CanSync: true, Open: openBolt},
		{Name: "files", CanSync: true, Open: openFiles},
	}
}

// Files is the peer that keeps one plain file a value.
func Files() Kind { return Kind{Name: "files", CanSync: true, Open: openFiles} }
