// Package framelog keeps an append-only log of opaque frames in segment files. It is the
// truth of what stands on it: an index can be thrown away and rebuilt by a [Log.Scan].
//
// [Log.Append] writes a group of frames and gives each a [Pos], which names it as long as its
// segment exists; [Log.ReadFrame] reads one back, verified. A group is written by one call
// but is not atomic over a crash: a prefix of its frames may stay. What must be atomic goes
// into one frame.
//
// # Concurrency
//
// All methods of a [Log] may be called at any time from any goroutine. Appends wait for each
// other; reads and Sync do not wait for them. A [Batch] is for one goroutine.
//
// # Durability
//
// What Append has returned survives the death of the process. What [Log.Sync] has returned
// survives a loss of power, bytes included that an earlier process wrote and never synced.
// After a failed fsync the unsynced bytes are not trusted to be anywhere but in memory: they
// are read back, verified and written to a new file under the same positions. Only when that
// fails too is the log lost for writing.
//
// # Errors
//
// No bytes on disk make this package panic, and none make it return a frame that was not
// written at that place. What is lost is reported as [*Damage]. A log of a newer format is
// [ErrVersion] and stays untouched.
//
// # Format
//
// All numbers are big-endian. A segment is a file named by its id, sixteen hex digits and
// ".log". Its header has 64 bytes:
//
//	 0  magic "larder\x1a\n"
//	 8  format version        u32
//	12  generation            u32   0, or the number of a continuation
//	16  log id                16 bytes
//	32  segment id            u64
//	40  base                  u32   position of the first byte behind this header
//	44  zero                  16 bytes
//	60  CRC-32C of the above  u32   in this place in every version
//
// The header is the truth about a file, not its name. A continuation, named
// <id>-<generation>-<base>.log, replaces everything from its base on in the files of lower
// generations; it is made when a file can no longer be trusted or cut back. Positions count
// as if the segment were one file.
//
// Frames follow, each at a multiple of eight and padded with zeros:
//
//	 0  magic 0xf7a3e10c      u32
//	 4  length of body        u32
//	 8  xxhash64 of body      u64   xor mix(xxhash64(log id, segment id) + offset)
//	16  kind                  u32   1 data, 2 roster
//	20  CRC-32C               u32   of the above, continued from crc(log id, segment id) xor offset
//	24  body
//
// mix is the finalizer of SplitMix64. Both checksums depend on the place: a frame of another
// log, a write that went astray, and a copy of this very log inside a body are not taken for
// frames. They find accidents and are no defence against somebody who writes to the files.
//
// A roster is written first into each segment, after a segment was removed and after one
// became durable in full. Its body is one entry for each other segment in order: id u64, and
// u32 the end of the segment if it was durable, else zero. It is how a scan knows that a
// whole file or the end of one is missing.
package framelog
