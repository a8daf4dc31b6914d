package lifecycle_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/larderbuild/larder/ipc/lifecycle"
)

// TestEnsureVersions meets a server of another version.
func TestEnsureVersions(t *testing.T) {
	for _, c := range []struct {
		name, runs, wants, serves string
	}{
		{"equal", "3", "3", "3"}, {"newer", "10", "9", "10"}, {"older", "9", "10", "10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := newHost(t, c.runs)
			old.serve(nil)
			h := old.of(c.wants)
			defer h.servers.Wait()
			client := h.ensure(h.options())
			if got := client.Info().Version; got != c.serves {
				t.Errorf("served by version %s, want %s", got, c.serves)
			}
			if want := c.serves == c.wants && c.runs != c.wants; (h.spawns() == 1) != want {
				t.Errorf("%d servers started", h.spawns())
			}
			client.Close()
			lifecycle.Stop(t.Context(), h.ep, nil)
		})
	}
}

// TestTakeoverEvents replaces a server: two events that belong together.
func TestTakeoverEvents(t *testing.T) {
	old := newHost(t, "1")
	old.serve(nil)
	h := old.of("2")
	defer h.servers.Wait()
	h.ensure(h.options()).Close()
	from, to := h.noted(lifecycle.EventReplacing), h.noted(lifecycle.EventReplaced)
	if len(from) != 1 || len(to) != 1 {
		t.Fatalf("%d and %d events of a take-over", len(from), len(to))
	}
	if from[0].Link == "" || from[0].Link != to[0].Link || from[0].Old != os.Getpid() ||
		to[0].Old != os.Getpid() || to[0].Server != os.Getpid() || to[0].Instance == from[0].Instance ||
		from[0].Reason != lifecycle.ReasonReplace || to[0].Reason != lifecycle.ReasonReplace {
		t.Errorf("take-over:\n%+v\n%+v", from[0], to[0])
	}
	if stopped := h.noted(lifecycle.EventStopped); len(stopped) != 1 || stopped[0].Reason != "drained" {
		t.Errorf("stopped: %+v", stopped)
	}
	lifecycle.Stop(t.Context(), h.ep, nil)
}

func TestEnsureRefused(t *testing.T) {
	h := newHost(t, "1")
	h.serve(nil)
	o := h.of("2").options()
	o.Compare = nil
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	refused, ok := errors.AsType[*lifecycle.RefusedError](err)
	if !ok || refused.Server.Version != "1" || refused.Server.Process.PID != os.Getpid() {
		t.Errorf("a version that cannot be ordered: %v", err)
	}
	if err == nil || !strings.HasSuffix(err.Error(), `version "1"; this program is version "2"`) {
		t.Errorf("the error does not tell both versions: %v", err)
	}
	h.ensure(h.options())
}

// TestEnsureUnparsable has a version that no order knows: it is looked at twice.
func TestEnsureUnparsable(t *testing.T) {
	old := newHost(t, "odd")
	old.serve(nil)
	h := old.of("2")
	defer h.servers.Wait()
	o := h.options()
	var seen []int
	o.Decide = func(s lifecycle.ServerInfo) lifecycle.Decision {
		if s.Version == "odd" {
			seen = append(seen, s.Probes)
		}
		return lifecycle.PreferNewer("2", compareNumbers)(s)
	}
	c := h.ensure(o)
	if c.Info().Version != "2" || !slices.Equal(seen, []int{1, 2, 3}) {
		t.Errorf("served by version %s after probes %v", c.Info().Version, seen)
	}
	c.Close()
	lifecycle.Stop(t.Context(), h.ep, nil)
}

// TestEnsureNeverWanted starts servers that Decide does not want: it gives up.
func TestEnsureNeverWanted(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	o.Decide = func(lifecycle.ServerInfo) lifecycle.Decision { return lifecycle.ReplaceIt }
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	if _, ok := errors.AsType[*lifecycle.RefusedError](err); !ok || h.spawns() > 3 {
		t.Errorf("after %d servers: %v", h.spawns(), err)
	}
}
