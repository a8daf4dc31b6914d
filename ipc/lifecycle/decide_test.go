package lifecycle_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

func compareNumbers(a, b string) (int, error) {
	m, err1 := strconv.Atoi(a)
	n, err2 := strconv.Atoi(b)
	return m - n, errors.Join(err1, err2)
}

func TestPreferNewer(t *testing.T) {
	server := func(version string, s ipc.State) ipc.ServerInfo {
		return ipc.ServerInfo{Version: version, State: s}
	}
	silent := errors.New("no answer")
	for _, c := range []struct {
		name    string
		server  lifecycle.ServerInfo
		compare func(a, b string) (int, error)
		want    lifecycle.Decision
	}{
		{"equal", lifecycle.ServerInfo{ServerInfo: server("5", ipc.Ready)}, compareNumbers, lifecycle.UseIt},
		{"equal, no order", lifecycle.ServerInfo{ServerInfo: server("5", ipc.Ready)}, nil, lifecycle.UseIt},
		{"newer", lifecycle.ServerInfo{ServerInfo: server("10", ipc.Ready)}, compareNumbers, lifecycle.UseIt},
		{"older", lifecycle.ServerInfo{ServerInfo: server("4", ipc.Ready)}, compareNumbers, lifecycle.ReplaceIt},
		{"other, no order", lifecycle.ServerInfo{ServerInfo: server("4", ipc.Ready)}, nil, lifecycle.RefuseIt},
		{"older, starting", lifecycle.ServerInfo{ServerInfo: server("4", ipc.Starting)}, compareNumbers, lifecycle.WaitForIt},
		{"equal, draining", lifecycle.ServerInfo{ServerInfo: server("5", ipc.Draining)}, compareNumbers, lifecycle.WaitForIt},
		{"unparsable once", lifecycle.ServerInfo{ServerInfo: server("x", ipc.Ready), Probes: 1}, compareNumbers, lifecycle.WaitForIt},
		{"unparsable twice", lifecycle.ServerInfo{ServerInfo: server("x", ipc.Ready), Probes: 2}, compareNumbers, lifecycle.ReplaceIt},
		{"silent once", lifecycle.ServerInfo{ServerInfo: server("", ipc.Ready), Err: silent, Probes: 1}, compareNumbers, lifecycle.WaitForIt},
		{"silent twice", lifecycle.ServerInfo{ServerInfo: server("", ipc.Ready), Err: silent, Probes: 2}, compareNumbers, lifecycle.ReplaceIt},
		{"silent, draining", lifecycle.ServerInfo{ServerInfo: server("", ipc.Draining), Err: silent, Probes: 9}, nil, lifecycle.WaitForIt},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := lifecycle.PreferNewer("5", c.compare)(c.server); got != c.want {
				t.Errorf("decision %d, want %d", got, c.want)
			}
		})
	}
}
