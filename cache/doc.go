// Package cache is an artifact store for build tools: fast, bounded, and hard to damage.
//
// An artifact is what one build step produced under a [Key] that the host computed: named outputs,
// what was printed, the exit code, and the cost of producing it. [Open] a store, and let [Store.Do]
// look a step up or run it:
//
//	art, err := store.Do(ctx, key, func(ctx context.Context, d *cache.Draft) error {
//		...
//		return d.AddFile("a.o", object)
//	})
//	defer art.Release()
//	done, err := art.Deliver(ctx, root, nil)
//
// # What it promises
//
// A hit is never wrong: content is verified before it is visible at its destination, and in doubt
// the answer is a miss. What was acknowledged survives the death of the process, and a power loss
// as far as [Options.Durability] says; an entry is absent or complete. A damaged file, a full disk
// or a lost index is an error value or a miss; the host goes on.
//
// # Concurrency
//
// One Store owns a root at a time, on one machine and a local file system; the owner's lock is
// given up by the system however it dies. A Store is safe for concurrent use. It starts no
// goroutine of its own but the one that Do runs a build on, and helpers that end with the call that
// started them. Upkeep happens in [Store.Run], which the host may call.
//
// # Format
//
// Content is a payload file named by its SHA-256, or stands in an append-only log when it is small.
// The log and the payload files are the truth. The index finds entries quickly; when it is lost or
// damaged it is rebuilt from the log. A root of a newer format is refused and left alone.
package cache
