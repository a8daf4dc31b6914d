package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

var (
	upgrades       = flag.Int("upgrade.times", upgradesDefault, "replacements in TestUpgradeUnderLoad")
	upgradeClients = flag.Int("upgrade.clients", upgradeCallsDefault, "clients of TestUpgradeUnderLoad")
)

// TestUpgradeUnderLoad replaces the server by newer ones while many clients call without pause: no
// id is lost, none is counted twice, and no call ends with any error.
func TestUpgradeUnderLoad(t *testing.T) {
	s := newSite(t)
	a := s.app(t, "1")
	ids := filepath.Join(s.dir, "ids")
	t.Setenv(idsVariable, ids)
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var mu sync.Mutex
	sent := make(map[string]bool)
	for i := range *upgradeClients {
		clients.Go(func() {
			own := countUntil(ctx, t, a, i)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(sent, own)
		})
	}
	for i := range *upgrades {
		got := s.mustRun("call", "-version", strconv.Itoa(i+2), "up")
		if got.Version != strconv.Itoa(i+2) || !got.Started {
			t.Errorf("upgrade %d: %+v", i, got)
		}
	}
	cancel()
	clients.Wait()
	checkIDs(t, ids, sent)
	t.Logf("%d calls during %d upgrades", len(sent), *upgrades)
}

// countUntil counts ids until ctx ends and returns them.
func countUntil(ctx context.Context, t *testing.T, a *app, client int) map[string]bool {
	sent := make(map[string]bool)
	c, err := lifecycle.Ensure(t.Context(), a.ep, a.options(nil))
	if err != nil {
		t.Error(err)
		return nil
	}
	defer c.Close()
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("%d/%d", client, n)
		sent[id] = true
		if _, err := c.Call(context.Background(), opCount, []byte(id)); err != nil {
			t.Errorf("id %s: outcome %d: %v", id, ipc.OutcomeOf(err), err)
			return sent
		}
	}
	return sent
}
