package ipc

import (
	"fmt"

	"github.com/larderbuild/larder/internal/bench/echo"
	"github.com/larderbuild/larder/internal/bench/frame"
)

// against is whom a contender is compared with, and the bound.
type against struct {
	peer  string
	bound float64 // of the ratio; 0 is none
}

// matches are the comparisons of two processes that take turns.
func matches(env *frame.Env) []match {
	all := []match{
		echoMatch(256,
			versus(wallTime, echo.Lockstep, against{echo.Socket, 1.10}, against{echo.NetRPC, 0.76},
				against{echo.DRPC, 0.63}, against{echo.TTRPC, 0.60}, against{echo.GRPC, 0.40},
				against{echo.Yamux, 0}, against{echo.HTTP, 0}),
			versus(wallTime, echo.Multiplexed, against{echo.Socket, 1.15}),
			noAllocations()),
		echoMatch(64<<10,
			versus(wallTime, echo.Lockstep, against{echo.Socket, 0.85}, against{echo.DRPC, 0.45},
				against{echo.NetRPC, 0}, against{echo.TTRPC, 0}, against{echo.GRPC, 0},
				against{echo.Yamux, 0}, against{echo.HTTP, 0}),
			versus(wallTime, echo.Multiplexed, against{echo.Socket, 0}),
			noAllocations()),
		echoMatch(1<<20,
			versus(wallTime, echo.Lockstep, against{echo.Socket, 0.80}, against{echo.NetRPC, 0.40},
				against{echo.HTTP, 0.68}, against{echo.TTRPC, 0}, against{echo.GRPC, 0},
				against{echo.DRPC, 0}, against{echo.Yamux, 0}),
			versus(wallTime, echo.Multiplexed, against{echo.Socket, 0})),
		callersMatch(64),
		dialMatch(),
		fileMatch(),
	}
	if !env.Quick {
		all = append(all, twoCPUsMatch())
	}
	return all
}

// echoMatch has one caller on an open connection.
func echoMatch(size int, pairs ...[]pair) match {
	m := match{name: "echo " + bytesText(size), size: size}
	for _, p := range pairs {
		m.pairs = append(m.pairs, p...)
	}
	m.sides = sidesOf(m.pairs, taskEcho, 1)
	return m
}

// callersMatch has many callers on one connection, and beside them the messages alone, as many at
// once.
func callersMatch(n int) match {
	m := match{name: fmt.Sprintf("echo 256 B, %d callers on one connection", n), size: 256}
	ours := echo.Multiplexed
	for _, a := range []against{{echo.NetRPC, 6}, {echo.TTRPC, 8}, {echo.GRPC, 15}} {
		m.pairs = append(m.pairs, pair{rate, ours, a.peer, frame.RatioAtLeast(a.bound)},
			pair{cpuTime, ours, a.peer, frame.Target{}})
	}
	m.sides = sidesOf(m.pairs, taskEcho, n)
	m.pairs = append(m.pairs, versus(wallTime, ours, against{echo.Pipelined, 3.3})...)
	m.sides = append(m.sides, contender{name: echo.Pipelined, task: taskEcho + echo.Pipelined})
	return m
}

func dialMatch() match {
	m := match{name: "connect, echo 256 B, close", size: 256}
	m.pairs = versus(wallTime, echo.Lockstep, against{echo.Socket, 1.30}, against{echo.TTRPC, 0.78},
		against{echo.GRPC, 0.25})
	m.sides = sidesOf(m.pairs, taskDial, 1)
	return m
}

// twoCPUsMatch is what a user gets on an idle machine, where another goroutine may wake a halted
// CPU. The peer's server answers on the goroutine that reads.
func twoCPUsMatch() match {
	m := match{name: "echo 256 B on all CPUs", size: 256, free: true}
	m.pairs = append(versus(wallTime, echo.Fast, against{echo.Socket, 1.1}),
		versus(wallTime, echo.Lockstep, against{echo.Socket, 0})...)
	m.sides = sidesOf(m.pairs, taskEcho, 1)
	return m
}

// versus are a row for each peer, and one for the CPU time beside it where there is a bound.
func versus(m measure, ours string, peers ...against) []pair {
	var pairs []pair
	for _, a := range peers {
		if a.bound == 0 {
			pairs = append(pairs, pair{measure: m, ours: ours, peer: a.peer})
			continue
		}
		pairs = append(pairs, pair{m, ours, a.peer, frame.RatioAtMost(a.bound)},
			pair{cpuTime, ours, a.peer, frame.Target{}})
	}
	return pairs
}

// noAllocations are the rows about memory, beside the peer that has the fewest.
func noAllocations() []pair {
	var pairs []pair
	for _, ours := range []string{echo.Lockstep, echo.Multiplexed} {
		for _, m := range []measure{clientAllocs, serverAllocs} {
			pairs = append(pairs, pair{m, ours, echo.Yamux, frame.AtMost(0)})
		}
	}
	return pairs
}

// sidesOf are the contenders of pairs, each once.
func sidesOf(pairs []pair, task string, callers int) []contender {
	var sides []contender
	seen := map[string]bool{"": true}
	for _, p := range pairs {
		for _, name := range []string{p.ours, p.peer} {
			if !seen[name] {
				seen[name] = true
				sides = append(sides, contender{name: name, task: task + name, callers: callers})
			}
		}
	}
	return sides
}
