package buildabi_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// replay makes the calls on a board that lead to what a real server sent.
type replay struct {
	t     *testing.T
	board *buildabi.Board
	build *buildabi.Build
	fuzz  *buildabi.Fuzz
	steps []string
}

func (p *replay) apply(m buildabi.Message) {
	switch m := m.(type) {
	case *buildabi.Hello:
		p.steps = m.Steps
		p.build = p.board.StartBuild(m.Steps...)
		for i := range m.Steps {
			must(p.t, p.build.SetStep(i, m.Statuses.Get(i)))
		}
		p.status(m.Status)
	case *buildabi.StatusUpdate:
		p.status(m.New)
	case *buildabi.StepUpdate:
		must(p.t, p.build.SetStep(int(m.Step), m.Status))
	case *buildabi.GenericResult:
		must(p.t, p.build.ReportTime(int(m.Step), time.Duration(m.Total)))
	case *buildabi.CompileResult:
		must(p.t, p.build.ReportCompile(int(m.Step), m))
	case *buildabi.RunTestResult:
		must(p.t, p.build.ReportTests(int(m.Step), m))
	case *buildabi.SourceIndex:
		must(p.t, p.fuzz.SetIndex(m))
	case *buildabi.CoverageUpdate:
		must(p.t, p.fuzz.UpdateCoverage(m))
	case *buildabi.EntryPoints:
		must(p.t, p.fuzz.SetEntryPoints(m.Locations...))
	}
}

func (p *replay) status(s buildabi.BuildStatus) {
	switch s {
	case buildabi.Building:
		if p.build == nil || len(p.steps) > 0 {
			p.build = p.board.StartBuild(p.steps...)
		}
	case buildabi.FuzzInit:
		var err error
		p.fuzz, err = p.build.StartFuzz()
		must(p.t, err)
	default:
		must(p.t, p.build.Finish(s))
	}
}

// TestReplay plays recorded builds through a board at their times. A client is shown the same in
// the end, with no more frames, bytes and passes than the real server took.
func TestReplay(t *testing.T) {
	for _, rec := range readRecordings(t) {
		t.Run(rec.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playRecording(t, rec) })
		})
	}
}

// playRecording returns what a client of the board was told.
func playRecording(t *testing.T, rec recording) (told []pass) {
	var real screen
	var frames, size, passes int
	b := buildabi.NewBoard(&buildabi.BoardOptions{Version: rec.version, TimeReport: true})
	host := &replay{t: t, board: b}
	late := strings.Contains(rec.name, "late") // all had happened when that client came
	var c *client
	if !late {
		c = connect(t, b, rec.version)
	}
	start := time.Now()
	for _, sent := range passesOf(t, rec) {
		time.Sleep(time.Duration(sent.at*1e6) - time.Since(start))
		synctest.Wait()
		b.Together(func() {
			for _, m := range sent.messages {
				host.apply(m)
				real.apply(m)
			}
		})
		frames, size, passes = frames+len(sent.messages), size+sent.bytes, passes+1
	}
	if late {
		c = connect(t, b, rec.version)
	}
	time.Sleep(time.Second)
	var ours screen
	told = c.take()
	ours.show(told)
	ourFrames, ourSize := 0, 0
	for _, p := range told {
		for _, b := range p.raw {
			ourFrames, ourSize = ourFrames+1, ourSize+len(b)
		}
	}
	t.Logf("%d frames of %d, %d bytes of %d, %d passes of %d",
		ourFrames, frames, ourSize, size, len(told), passes)
	if ourFrames > frames || ourSize > size || len(told) > passes {
		t.Error("more than the real server")
	}
	if got, want := ours.text(true), real.text(true); got != want {
		t.Errorf("shows\n%s, want\n%s", got, want)
	}
	c.close()
	return told
}

// sentPass is what a real server sent in one go. All of it had happened before.
type sentPass struct {
	at       float64 // milliseconds
	messages []buildabi.Message
	bytes    int
}

// passesOf tells passes apart by the time between frames: those of one follow at once.
func passesOf(t *testing.T, rec recording) (list []sentPass) {
	t.Helper()
	last := -1.0
	for _, line := range rec.records {
		if line.Dir == "c2s" {
			continue
		}
		m, err := buildabi.Parse(rec.version, line.Bytes)
		must(t, err)
		if line.Time-last > 0.2 {
			list = append(list, sentPass{at: line.Time})
		}
		last = line.Time
		p := &list[len(list)-1]
		p.messages, p.bytes = append(p.messages, m), p.bytes+len(line.Bytes)
	}
	return list
}
