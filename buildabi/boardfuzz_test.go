package buildabi_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/internal/testkit"
)

// screen is what a client shows after the messages that it was sent.
type screen struct {
	hello    *buildabi.Hello
	status   buildabi.BuildStatus
	reports  map[uint32]string // those that are not grey
	index    *buildabi.SourceIndex
	coverage string
	entries  string
}

func (s *screen) show(passes []pass) {
	for _, p := range passes {
		for _, m := range p.msgs {
			s.apply(m)
		}
	}
}

func (s *screen) apply(m buildabi.Message) {
	switch m := m.(type) {
	case *buildabi.Hello:
		*s = screen{hello: m, status: m.Status, reports: map[uint32]string{}}
	case *buildabi.StatusUpdate:
		if s.status = m.New; m.New == buildabi.Building {
			clear(s.reports)
		}
	case *buildabi.StepUpdate:
		s.hello.Statuses.Set(int(m.Step), m.Status)
	case *buildabi.GenericResult:
		s.reports[m.Step] = text(m)
	case *buildabi.CompileResult:
		s.reports[m.Step] = text(m)
	case *buildabi.RunTestResult:
		s.reports[m.Step] = text(m)
	case *buildabi.SourceIndex:
		s.index, s.coverage, s.entries = m, "", ""
	case *buildabi.CoverageUpdate:
		// The runs are left out: clients of V1 are not told each of them.
		s.coverage = fmt.Sprint(m.UniqueRuns, m.Covered)
	case *buildabi.EntryPoints:
		s.entries = fmt.Sprint(m.Locations)
	}
}

// text is all that can be seen. Coverage is left out where the fuzzing is over.
func (s *screen) text(fuzzing bool) string {
	if s.hello == nil {
		return "nothing"
	}
	all := fmt.Sprint(s.status, s.hello.Steps, s.hello.Statuses, s.reports)
	if fuzzing && s.index != nil {
		all += fmt.Sprint(s.index.Locations, s.coverage, s.entries)
	}
	return all
}

// host makes calls on a board as the bytes say, good ones and bad ones.
type host struct {
	generator
	board *buildabi.Board
	build *buildabi.Build
	fuzz  *buildabi.Fuzz
	runs  uint64 // they only grow
}

func (h *host) lists() [][]string {
	return [][]string{{"a", "b", "c", "d", "e"}, {"a", "b", "c", "d", "f"}, {}, {"a"},
		slices.Repeat([]string{"x"}, 300)}
}

func (h *host) call() {
	if h.build == nil {
		h.build = h.board.StartBuild(h.lists()[0]...)
	}
	step := int(h.uint8()) % 7
	switch h.uint8() % 12 {
	case 0:
		lists := h.lists()
		h.build = h.board.StartBuild(lists[int(h.uint8())%len(lists)]...)
	case 1:
		h.build.Finish(buildabi.BuildStatus(h.uint8() % 4))
	case 2:
		h.build.ReportTime(step, time.Duration(h.uint8()))
	case 3:
		h.build.ReportCompile(step, h.generator.compileResult().(*buildabi.CompileResult))
	case 4:
		h.build.ReportTests(step, &buildabi.RunTestResult{Tests: make([]buildabi.Test, h.count())})
	case 5:
		if f, err := h.build.StartFuzz(); err == nil && h.uint8()%4 > 0 {
			h.fuzz = f
		}
	case 6, 7, 8:
		h.fuzzing()
	default:
		h.build.SetStep(step, buildabi.StepStatus(h.uint8()%5))
	}
}

func (h *host) fuzzing() {
	if h.fuzz == nil {
		return
	}
	switch h.uint8() % 4 {
	case 0:
		m := smallIndex(buildabi.V3)
		m.Locations = m.Locations[:h.uint8()%4]
		m.StartRuns = uint64(h.uint8() % 2)
		h.fuzz.SetIndex(m)
	case 1:
		h.fuzz.SetIndex(brokenIndex(buildabi.V3, int(h.uint8()%4)))
	case 2:
		h.fuzz.SetEntryPoints(list(&h.generator, func() uint32 { return uint32(h.uint8() % 4) })...)
	default:
		h.runs += uint64(h.uint8() % 3)
		sizes := []int{8, 8, 8, 0, 16} // one word is right for all but the empty index
		h.fuzz.UpdateCoverage(&buildabi.CoverageUpdate{Runs: h.runs,
			UniqueRuns: uint64(h.uint8() % 3), Covered: h.bytes(sizes[h.uint8()%5])})
	}
}

// FuzzBoard makes any calls on a board with several clients. None may be sent what a real client
// would stumble over, and in the end all show the same as one that connects then.
func FuzzBoard(f *testing.F) {
	rand := testkit.Rand(f)
	for i := range 24 {
		f.Add(i%2 == 0, testkit.Bytes(rand, 200+40*i))
	}
	f.Fuzz(func(t *testing.T, v3 bool, b []byte) {
		v := buildabi.V1
		if v3 {
			v = buildabi.V3
		}
		synctest.Test(t, func(t *testing.T) { playBoard(t, v, b[:min(len(b), 2000)]) })
	})
}

// playBoard returns what each of the clients was told.
func playBoard(t *testing.T, v buildabi.Version, b []byte) (told [][]pass) {
	h := &host{generator: generator{b}}
	h.board = buildabi.NewBoard(&buildabi.BoardOptions{Version: v, TimeReport: true})
	clients := []*client{connect(t, h.board, v)}
	pauses := []time.Duration{0, 0, 0, 1, time.Millisecond, 16 * time.Millisecond, time.Second}
	for len(h.b) > 0 {
		h.call()
		switch n := h.uint8(); {
		case n < 10 && len(clients) < 5:
			clients = append(clients, connect(t, h.board, v))
		default:
			time.Sleep(pauses[int(n)%len(pauses)])
		}
	}
	time.Sleep(2 * time.Second)
	late := connect(t, h.board, v)
	time.Sleep(2 * time.Second)
	told = append(told, late.take())
	late.close()
	var last screen
	last.show(told[0])
	for i, c := range clients {
		told = append(told, c.take())
		c.close()
		var s screen
		s.show(told[1+i])
		if fuzzing := last.index != nil; s.text(fuzzing) != last.text(fuzzing) {
			t.Errorf("client %d shows\n%s, a late one\n%s", i, s.text(fuzzing), last.text(fuzzing))
		}
	}
	return told
}

func BenchmarkSetStep(b *testing.B) {
	for _, clients := range []int{0, 1, 100} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			board := buildabi.NewBoard(nil)
			build := board.StartBuild(make([]string, 1000)...)
			done := make(chan error)
			ctx := b.Context()
			for range clients {
				go func() { done <- board.Serve(ctx, sink{}) }()
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				build.SetStep(i%1000, buildabi.StepStatus(1+i/1000%2))
				i++
			}
			b.Cleanup(func() {
				for range clients {
					<-done
				}
			})
		})
	}
}
