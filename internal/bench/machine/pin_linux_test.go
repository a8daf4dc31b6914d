package machine_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/bench/machine"
)

func TestOnOneCPU(t *testing.T) {
	allowed := func() string {
		var out []byte
		cmd := exec.Command("grep", "Cpus_allowed_list", "/proc/self/status")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(strings.TrimPrefix(string(out), "Cpus_allowed_list:"))
	}
	before, pinned := allowed(), ""
	if err := machine.OnOneCPU(func() error { pinned = allowed(); return nil }); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(pinned, "-,") || pinned == "" {
		t.Errorf("pinned to %q, want one CPU", pinned)
	}
	if after := allowed(); after != before {
		t.Errorf("CPUs %q afterwards, %q before", after, before)
	}
}
