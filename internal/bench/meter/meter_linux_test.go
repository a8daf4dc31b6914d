package meter_test

import (
	"context"
	"os/exec"
	"runtime/debug"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/bench/meter"
)

func TestPeakAnonymousSeesAPeak(t *testing.T) {
	const size = 64 << 20
	debug.FreeOSMemory() // else the peak may fit into memory that other tests left
	before, err := meter.ReadMemory()
	if err != nil {
		t.Fatal(err)
	}
	peak, err := meter.PeakAnonymous(t.Context(), func(context.Context) error {
		b := make([]byte, size)
		for i := 0; i < size; i += 4096 {
			b[i]++
		}
		for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); {
			b[0]++
		}
		return nil
	})
	if err != nil || peak < before.Anonymous+size*9/10 {
		t.Errorf("peak %d from %d, error %v, want %d more", peak, before.Anonymous, err, size)
	}
}

// The shell leaves a busy process behind, as the go command does with its cache program.
func TestCommandCountsOrphans(t *testing.T) {
	const script = `sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done' & exit 0`
	usage, err := meter.Command(t.Context(), exec.Command("sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	if usage.CPU < 20*time.Millisecond || usage.Wall <= 0 {
		t.Errorf("CPU %v, wall %v: the orphan's time is missing", usage.CPU, usage.Wall)
	}
}

func TestCommandReportsFailure(t *testing.T) {
	if _, err := meter.Command(t.Context(), exec.Command("sh", "-c", "exit 3")); err == nil {
		t.Error("no error from a command that failed")
	}
}
