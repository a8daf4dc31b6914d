// Package cachetest checks that an artifact store keeps the contract of [cache.Store].
//
// [Run] takes a constructor and runs every rule as a named subtest:
//
//	func TestStore(t *testing.T) {
//		cachetest.Run(t, func(t testing.TB) cachetest.Store {
//			return newStore(t)
//		}, nil)
//	}
//
// [Store] is the least a store must offer: put, get, delete, list and close, with an [Artifact]
// as a plain value. What only some stores can do is an interface of its own: [Streamer],
// [Holder], [Builder], [Reopener] and, on what a get returns, [Deliverer]. A rule that needs an
// ability the store lacks is skipped, and the skip names the interface, so a remote tier that
// cannot deliver files still runs the rest and says what it left out.
//
// [Of] makes a [Store] of a [cache.Store], and [NewMemory] is a plain store in memory that keeps
// every rule: use it where a test of a host needs a store but no disk.
//
// # Concurrency
//
// Rules call the store from several goroutines where they say so. Rules themselves run one after
// another.
package cachetest
