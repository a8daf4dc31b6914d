package buildabi

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	abi "github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/internal/bench/frame"
)

// recordings are builds that Zig's own server showed, in the testdata of package buildabi.
var recordings = [...]string{"plain-0.16.0", "plain-0.15.1", "time-report-0.16.0", "time-report-0.15.1"}

// moment is one message of a recording.
type moment struct {
	at  time.Duration
	msg abi.Message
	len int
}

// passGap tells the passes of a recording apart: the frames of one follow each other at once.
const passGap = 200 * time.Microsecond

// passes divides a recording into what the server sent in one go.
func passes(list []moment) (all [][]moment) {
	start := 0
	for i := range list {
		if i+1 == len(list) || list[i+1].at-list[i].at > passGap {
			all = append(all, list[start:i+1])
			start = i + 1
		}
	}
	return all
}

func versionOf(name string) abi.Version {
	if strings.HasSuffix(name, "0.15.1") {
		return abi.V1
	}
	return abi.V3
}

// load reads what the server said. The program runs in the module's own folder or in this package's.
func load(name string) (list []moment, err error) {
	var f *os.File
	for _, up := range []string{"../..", "../../.."} {
		if f, err = os.Open(up + "/buildabi/testdata/recordings/" + name + ".jsonl.gz"); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var line struct {
			Ms  float64 `json:"t_ms"`
			Dir string
			Hex string
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, err
		}
		if line.Dir != "s2c" {
			continue
		}
		b, err := hex.DecodeString(line.Hex)
		if err != nil {
			return nil, err
		}
		msg, err := abi.Parse(versionOf(name), b)
		if err != nil {
			return nil, err
		}
		list = append(list, moment{time.Duration(line.Ms * float64(time.Millisecond)), msg, len(b)})
	}
	return list, lines.Err()
}

// playNames are the rows of one recording.
type playNames struct{ frames, bytes, passes, p50, p99, cpu string }

// playCase plays a recording through a board at its own times: its updates become calls.
func playCase(name string) frame.Case {
	of := ", " + name + " played"
	n := playNames{"frames" + of, "bytes" + of, "passes" + of,
		"update to frame, p50" + of, "update to frame, p99" + of, "CPU" + of}
	const zig = "Zig's own server"
	return frame.Case{
		Specs: []frame.Spec{
			{Name: n.frames, Unit: "frames", Peer: zig, Target: frame.RatioAtMost(1)},
			{Name: n.bytes, Unit: "B", Peer: zig, Target: frame.RatioAtMost(1)},
			{Name: n.passes, Unit: "passes", Peer: zig, Target: frame.RatioAtMost(1)},
			{Name: n.p50, Unit: "us"}, {Name: n.p99, Unit: "us"}, {Name: n.cpu, Unit: "ms"},
		},
		Run: func(ctx context.Context, r *frame.Recorder) error {
			list, err := load(name)
			if err != nil {
				return err
			}
			p := &player{version: versionOf(name), waiting: map[string]time.Time{}}
			before := cpuTime()
			if err := p.play(ctx, list); err != nil {
				return err
			}
			used := cpuTime() - before
			bytes := 0
			for _, m := range list {
				bytes += m.len
			}
			slices.Sort(p.delays)
			at := func(q float64) []float64 {
				return []float64{float64(p.delays[int(q*float64(len(p.delays)-1))]) / 1e3}
			}
			return errors.Join(
				r.Record(n.frames, []float64{float64(p.client.frames.Load())}, []float64{float64(len(list))}),
				r.Record(n.bytes, []float64{float64(p.client.bytes.Load())}, []float64{float64(bytes)}),
				r.Record(n.passes, []float64{float64(p.client.passes.Load())}, []float64{float64(len(passes(list)))}),
				r.Record(n.p50, at(0.5), nil), r.Record(n.p99, at(0.99), nil),
				r.Record(n.cpu, []float64{float64(used) / 1e6}, nil),
			)
		},
	}
}

// player turns messages back into calls on a board, and notes when each comes out again.
type player struct {
	version abi.Version
	client  client
	build   *abi.Build

	mu      sync.Mutex
	waiting map[string]time.Time // since when a change of a step has been under way
	delays  []time.Duration
}

func (p *player) play(ctx context.Context, list []moment) error {
	hello, ok := list[0].msg.(*abi.Hello)
	if !ok {
		return errors.New("a recording begins with a hello")
	}
	board := abi.NewBoard(&abi.BoardOptions{Version: p.version, TimeReport: hello.TimeReport})
	p.build = board.StartBuild(hello.Steps...)
	p.client.took = p.took
	stop := show(ctx, board, &p.client)
	start := time.Now()
	var err error
	for _, m := range list[1:] {
		if err = until(ctx, start.Add(m.at)); err == nil {
			err = p.call(board, hello, m.msg)
		}
		if err != nil {
			return errors.Join(err, stop())
		}
	}
	err = until(ctx, time.Now().Add(lastPass))
	return errors.Join(err, stop())
}

// lastPass is how long the last changes may take to come out.
const lastPass = 200 * time.Millisecond

func until(ctx context.Context, at time.Time) error {
	select {
	case <-time.After(time.Until(at)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *player) call(board *abi.Board, hello *abi.Hello, msg abi.Message) error {
	switch m := msg.(type) {
	case *abi.StatusUpdate:
		if m.New == abi.Building {
			p.build = board.StartBuild(hello.Steps...)
			return nil
		}
		return p.build.Finish(m.New)
	case *abi.StepUpdate:
		p.mu.Lock()
		p.waiting[change(m)] = time.Now()
		p.mu.Unlock()
		return p.build.SetStep(int(m.Step), m.Status)
	case *abi.GenericResult:
		return p.build.ReportTime(int(m.Step), time.Duration(m.Total))
	case *abi.CompileResult:
		return p.build.ReportCompile(int(m.Step), m)
	case *abi.RunTestResult:
		return p.build.ReportTests(int(m.Step), m)
	}
	return fmt.Errorf("the recording has a %T", msg)
}

func change(m *abi.StepUpdate) string { return fmt.Sprint(m.Step, " ", m.Status) }

// took is told of each pass.
func (p *player) took(at time.Time, msgs [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range msgs {
		msg, err := abi.Parse(p.version, b)
		if err != nil {
			continue
		}
		m, ok := msg.(*abi.StepUpdate)
		if !ok {
			continue
		}
		if since, ok := p.waiting[change(m)]; ok {
			delete(p.waiting, change(m))
			p.delays = append(p.delays, at.Sub(since))
		}
	}
}
