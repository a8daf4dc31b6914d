// Package store is the suite of the artifact store: how fast it opens, gets and puts, what memory it takes,
// and how it stands beside the libraries of package peer with the same keys, sizes and durability.
//
// # Index
//
// What concerns the index runs over a store of small inline artifacts ([Entries] says how many), filled
// by a child process. Badger's get is measured on a database of its own, which has as many records, under the
// same keys and of the size of ours. It is filled and opened anew before anything is measured, and read over
// one transaction that is kept, which is the cheapest way Badger has; every block is verified when it is read.
// Ours is asked through the store, lease included. All rounds ask for the same keys.
//
// # Values
//
// Values are random and distinct. Put rows beside peers write the same values into an empty
// store, for a bounded time; get rows reopen it and read values whole into new memory, in random order. Plain files verify nothing on get.
package store
