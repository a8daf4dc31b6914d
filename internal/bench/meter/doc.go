// Package meter takes the raw measurements: rates of concurrent operations ([Rate]), allocations
// ([Allocs]), memory of this process ([Memory]) and wall and CPU time of commands with everything
// they leave running ([Command]).
package meter
