package buildabi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/larderbuild/larder/internal/bench/frame"
)

// pageCase has the benchmark of the page's frames run where the page is, in Chromium.
func pageCase(env *frame.Env) frame.Case {
	const name = "p95 time of a frame of the page, 100 updates a second"
	return frame.Case{
		Specs: []frame.Spec{{Name: name, Unit: "ms", Peer: "an idle page", Target: frame.RatioAtMost(1.5)}},
		Run: func(ctx context.Context, r *frame.Recorder) error {
			busy, idle, err := pageFrames(ctx, env.Rounds(3, 1))
			if err != nil {
				return err
			}
			return r.Record(name, busy, idle)
		},
	}
}

// pageFrames runs the benchmark so many times.
func pageFrames(ctx context.Context, rounds int) (busy, idle []float64, err error) {
	if _, err := exec.LookPath("chromium"); err != nil {
		return nil, nil, fmt.Errorf("bench: the page needs a browser: %w", err)
	}
	folder := "../../buildabi/webui" // from the module's own folder, or from this package's
	if _, err := os.Stat(folder); err != nil {
		folder = "../" + folder
	}
	cmd := exec.CommandContext(ctx, "go", "-C", folder, "test", "-tags", "long", "-run", "^$",
		"-bench", "^BenchmarkFrames$", "-benchtime", "1x", "-count", strconv.Itoa(rounds))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, nil, fmt.Errorf("bench: frames of the page: %w: %s", err, bytes.Join(bytes.Fields(out), []byte(" ")))
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "BenchmarkFrames") {
			busy = append(busy, metric(lines.Text(), "busy-ms"))
			idle = append(idle, metric(lines.Text(), "idle-ms"))
		}
	}
	if len(busy) != rounds || busy[0] <= 0 || idle[0] <= 0 {
		return nil, nil, errors.New("bench: frames of the page: no figures in: " + string(out))
	}
	return busy, idle, nil
}

// metric returns the number before a unit in a line of go test -bench, 0 without one.
func metric(line, unit string) float64 {
	words := strings.Fields(line)
	for i := 1; i < len(words); i++ {
		if words[i] == unit {
			v, _ := strconv.ParseFloat(words[i-1], 64)
			return v
		}
	}
	return 0
}
