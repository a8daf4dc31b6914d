package gobuild

import "github.com/larderbuild/larder/internal/bench/frame"

// Suite returns the suite named "gobuild".
func Suite() frame.Suite { return frame.Suite{Name: "gobuild", Cases: cases} }

func cases(env *frame.Env) []frame.Case {
	p := newPrograms(env)
	badger := pickTarget(env, allBadger(), badgerLibrary())
	tiny := pickTarget(env, allBadger(), target{name: "strconv", resolve: inModule("strconv")})
	if !env.Quick {
		tiny = badger
	}
	return []frame.Case{
		warm{
			programs: p, target: pickTarget(env, std(), usedStd()), rounds: [2]int{11, 7},
			added: frame.RatioAtMost(0.7),
		}.of(),
		warm{
			programs: p, target: badger, rounds: [2]int{7, 5},
			wall: frame.RatioAtMost(1.05),
		}.of(),
		cold{
			programs: p, target: tiny, rounds: [2]int{3, 1},
			cpu: frame.RatioAtMost(1.03),
		}.of(),
	}
}
