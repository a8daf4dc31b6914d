package ipc

import (
	"context"
	"time"

	"github.com/larderbuild/larder/internal/bench/frame"
)

// SmallCrowd is the case of very many callers, made small.
func SmallCrowd(env *frame.Env) frame.Case {
	return crowdCaseOf(env, crowding{Callers: 300, Size: 4 << 10, For: 200 * time.Millisecond})
}

// SmallHerd is the case of cold clients, made small.
func SmallHerd(env *frame.Env) frame.Case { return herd{clients: 4, trials: 1}.of(env) }

// SmallOneShot is the case of one-shot clients, made small.
func SmallOneShot(env *frame.Env) frame.Case {
	c := oneShotCase(env)
	c.Run = func(ctx context.Context, r *frame.Recorder) error { return runOneShot(ctx, env, r, 2) }
	return c
}

// SmallDeadlines is the case of deadlines, made small.
func SmallDeadlines(env *frame.Env) frame.Case { return deadlineCaseOf(env, 3) }

// BrokenPeer compares with a peer that there is and one that there is not.
func BrokenPeer(env *frame.Env) frame.Case {
	m := match{name: "pair", size: 256, pairs: []pair{
		{measure: wallTime, ours: "ipc.Conn", peer: "socket"},
		{measure: wallTime, ours: "ipc.Conn", peer: "nobody"},
	}}
	m.sides = sidesOf(m.pairs, taskEcho, 1)
	return m.of(env)
}
