package lifecycle_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

func TestOptionDefaults(t *testing.T) {
	for name, o := range map[string]*lifecycle.Options{"nil": nil, "zero": {}} {
		c, err := o.WithDefaults()
		if err != nil || c.Timeout != 30*time.Second || c.ProbeTimeout != 2*time.Second ||
			c.DrainTimeout != 30*time.Second || c.StopTimeout != 10*time.Second {
			t.Errorf("%s: %+v is not what the comments say, %v", name, c, err)
		}
		same := lifecycle.ServerInfo{ServerInfo: ipc.ServerInfo{State: ipc.Ready}}
		other := same
		other.Version = "2"
		if c.Decide(same) != lifecycle.UseIt || c.Decide(other) != lifecycle.RefuseIt {
			t.Errorf("%s: version \"\" is not the only one that is used", name)
		}
	}
	if lifecycle.OwnerPause != 5*time.Second {
		t.Errorf("owners are looked at every %v", lifecycle.OwnerPause)
	}
	o := lifecycle.Options{Timeout: 1, ProbeTimeout: 2, DrainTimeout: 3, StopTimeout: 4}
	c, err := o.WithDefaults()
	if err != nil || c.Timeout != 1 || c.ProbeTimeout != 2 || c.DrainTimeout != 3 || c.StopTimeout != 4 ||
		o.Decide != nil {
		t.Errorf("%+v became %+v, %v", o, c, err)
	}
}

// TestOptionFaults makes the mistakes of a host: each is named at once, and nothing is started,
// ended or made.
func TestOptionFaults(t *testing.T) {
	h := newHost(t, "1")
	ep := h.ep
	ensure := func(o lifecycle.Options) error {
		o.Spawn, o.Kill, o.Events = h.spawn, h.kill, h.note
		_, err := lifecycle.Ensure(t.Context(), ep, &o)
		return err
	}
	replace := func(o lifecycle.Options) error {
		o.Spawn, o.Kill, o.Events = h.spawn, h.kill, h.note
		_, err := lifecycle.Replace(t.Context(), ep, &o)
		return err
	}
	stop := func(o lifecycle.StopOptions) error {
		o.Kill, o.Events = h.kill, h.note
		_, err := lifecycle.Stop(t.Context(), ep, &o)
		return err
	}
	claim := func(o lifecycle.ClaimOptions) error {
		o.Events = h.note
		_, err := lifecycle.Claim(t.Context(), ep, &o)
		return err
	}
	long := strings.Repeat("v", 1025)
	says(t, ensure(lifecycle.Options{Timeout: -1}), "Timeout is negative")
	says(t, ensure(lifecycle.Options{ProbeTimeout: -1}), "ProbeTimeout is negative")
	says(t, ensure(lifecycle.Options{DrainTimeout: -1}), "DrainTimeout is negative")
	says(t, ensure(lifecycle.Options{StopTimeout: -1}), "StopTimeout is negative")
	says(t, ensure(lifecycle.Options{Version: long}), "Version is longer")
	says(t, replace(lifecycle.Options{Timeout: -1}), "Timeout is negative")
	says(t, stop(lifecycle.StopOptions{ProbeTimeout: -1}), "ProbeTimeout is negative")
	says(t, stop(lifecycle.StopOptions{DrainTimeout: -1}), "DrainTimeout is negative")
	says(t, stop(lifecycle.StopOptions{StopTimeout: -1}), "StopTimeout is negative")
	says(t, stop(lifecycle.StopOptions{Version: long}), "Version is longer")
	says(t, claim(lifecycle.ClaimOptions{Version: long}), "Version is longer")
	says(t, claim(lifecycle.ClaimOptions{Instance: long}), "Instance is longer")
	ep = ipc.Endpoint{}
	for _, err := range []error{ensure(lifecycle.Options{}), replace(lifecycle.Options{}),
		stop(lifecycle.StopOptions{}), claim(lifecycle.ClaimOptions{})} {
		says(t, err, "names nothing")
	}
	if files, _ := os.ReadDir(filepath.Dir(h.ep.Beside(""))); h.spawns()+len(h.events)+len(files) > 0 {
		t.Errorf("%d spawns, events %+v, files %v", h.spawns(), h.events, files)
	}
}
