package machine_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/bench/machine"
)

func TestLine(t *testing.T) {
	line := machine.Line(t.TempDir(), "example.com/not/linked")
	for _, want := range []string{"cores", runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH} {
		if !strings.Contains(line, want) {
			t.Errorf("line %q lacks %q", line, want)
		}
	}
	if strings.Contains(line, "not/linked") || strings.Contains(line, "\n") {
		t.Errorf("line %q names a module that is not linked, or breaks", line)
	}
}
