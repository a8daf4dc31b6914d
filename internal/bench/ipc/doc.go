// Package ipc is the suite of package ipc: what a call costs beside the socket itself and beside
// other libraries that call a server on the same machine, with the same messages both ways (package
// echo).
//
// # Processes
//
// Client and server are processes of their own, a pair for each side of a comparison, all of them
// kept on one CPU: with more, a figure depends on whether a halted CPU had to be woken, and is not
// steady. The pairs take turns, round after round; those whose turn it is not sleep. Rows about all
// CPUs say so. Beside each time that has a bound there is a row with the CPU time that both
// processes took. Both collect garbage when their heap has grown to five times its size, so that it
// is rarely measured.
//
// # The floor
//
// The peer called socket is a loop over net.UnixConn: a length and the message, one write each way.
// Like the simplest loop that is correct, it copies the message once on each side to put the length
// before it.
//
// # Rows
//
// Every answer is compared with the message: its length, and 64 bytes at both ends. Messages of one
// caller differ. Rows of a quick run are those that need neither long times nor many processes.
package ipc
