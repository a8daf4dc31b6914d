// Package place puts stored files where a build wants them, and takes a build's files in.
//
// The way out is a [Delivery]: the files of one artifact are first staged under temporary names
// beside their destinations, each cloned, hard-linked or copied and verified, and then renamed
// into place together by [Delivery.Commit]. Until then nothing is visible, so damage in the last
// output does not cost the host the older first one. The way in is [Placer.Import], which clones
// or copies, and [Placer.Take], which renames.
//
// A [Placer] remembers, for each pair of volumes, what the kernel has refused. Refusals come in
// two kinds: about the pair (another device, no such operation, not permitted), which is not asked
// again, and about one file (too many links, busy, blocks not yet on disk), which says nothing
// about the next.
//
// # Confinement
//
// Every destination goes through an [os.Root], and a clone or link is made relative to a folder
// opened through it. A symbolic link in the destination cannot lead a file out of it; a
// destination that is itself a symbolic link is replaced and not followed.
//
// # Concurrency
//
// A Placer is safe for concurrent use, a Delivery is not. Nothing here starts a goroutine.
//
// # Errors
//
// [ErrMismatch] and [SourceError] accuse the stored file; every other error of a Delivery is about
// the destination or the context. A call that failed leaves nothing behind but folders it had to
// make, and [Delivery.Discard] removes those.
package place
