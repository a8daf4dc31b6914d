// Package store is the suite of the artifact store: how fast it opens, gets and puts, what memory it takes,
// and how it stands beside the libraries of package peer with the same keys, sizes and durability.
//
// # Index
//
// What concerns the index runs over a store of small inline artifacts ([Entries] says how many), filled
// by a child process. Badger's own get is measured on a copy of that store's index folder, with the same
// options by hand (package index is internal to the store), over one read transaction that is kept, which
// is the cheapest way Badger has.
//
// # Values
//
// Values are random and distinct. Put rows beside peers write the same values into an empty
// store, for a bounded time; get rows reopen it and read values whole into new memory, in random order. Plain files verify nothing on get.
package store
