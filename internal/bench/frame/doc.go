// Package frame runs benchmark suites. A suite is a list of cases; a [Case] declares the rows it
// will give ([Spec]: name, unit, peer, target) and a function that measures them. [Run] runs the cases
// that were asked for and returns one [Row] for every declared row, measured or not:
// a row without figures carries the reason, so nothing is left out in silence.
//
// A new suite is a package that returns its cases, and one line in the program's table of suites.
//
// # Targets
//
// A [Target] bounds either our own figure or the ratio of our median to the peer's. Missing one is a
// verdict for people to read and no failure of the program.
//
// # Rounds
//
// [Interleave] measures all sides of a comparison in turn, round after round, and starts each
// round with another side, so that slow drift of the machine meets all of them alike.
package frame
