// Package seenpcs reads, follows and writes the coverage file of Zig's fuzzer, and finds the
// source locations of its program counters.
//
// The fuzzed processes map the file and count in it while they run; [Open] follows it from outside
// with plain reads, so that a file that is cut or replaced is an error and never a fault.
// [Resolver.Index] turns its program counters into the source index that a
// [buildabi.Board] shows, through the debug information of the executable.
//
// # Concurrency
//
// A [File] is a plain value. A [Follower] and a [Resolver] are for one goroutine at a time.
//
// # Format
//
// Little endian: three 64-bit numbers (runs, unique runs, the number P of program counters), then
// a bitset of P bits in 64-bit words, then the P program counters, in no order. The size says so
// exactly. Files of 32-bit or big-endian programs are refused, and so are more than 2^26 program
// counters, before anything is read or allocated for them.
package seenpcs
