// Command recorder is a cache program that keeps what a build gets and puts in a table, so that the same outputs can be
// given to other programs without building again. It is given the table's folder
// and a GOCACHE from which it answers what that one has already.
package main

import (
	"fmt"
	"os"

	"github.com/rogpeppe/go-internal/cache"

	"github.com/larderbuild/larder/internal/bench/goprog"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: recorder DIR GOCACHE")
		os.Exit(2)
	}
	if err := record(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "recorder:", err)
		os.Exit(1)
	}
}

func record(dir, seed string) error {
	table, err := goprog.LoadTable(dir)
	if err != nil {
		return err
	}
	r := &recorder{Table: table}
	if r.seed, err = cache.Open(seed); err != nil {
		return err
	}
	if err := goprog.Serve(os.Stdin, os.Stdout, r); err != nil {
		return err
	}
	return table.Save()
}

type recorder struct {
	*goprog.Table
	seed *cache.Cache
}

// Get looks into the table first and then into the seed, from which it copies: the go command may take
// a file away.
func (r *recorder) Get(action goprog.ID) (goprog.Entry, bool) {
	if e, ok := r.Table.Get(action); ok {
		return e, true
	}
	body, found, err := r.seed.GetBytes(cache.ActionID(action))
	if err != nil {
		return goprog.Entry{}, false
	}
	if _, err := r.Put(action, goprog.ID(found.OutputID), body); err != nil {
		return goprog.Entry{}, false
	}
	return r.Table.Get(action)
}
