package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
)

// killPutters is how many goroutines of the child put at the same time.
const killPutters = 8

// playPutter puts for ever, on a store with upkeep and small segments so that compaction runs, and reports on standard output:
// "-id version" before a put and "+id version" once it was acknowledged.
// Args: root, first version, durability.
func playPutter(args []string) int {
	ctx := context.Background()
	base, _ := strconv.Atoi(args[1])
	opt, _ := (&Options{Durability: Durability(args[2][0] - '0')}).withDefaults()
	s, err := open(ctx, args[0], opt, osSeams(64<<10))
	if err != nil {
		fmt.Fprintln(os.Stderr, "open:", err)
		return 1
	}
	go s.Run(ctx)
	go func() {
		for s.compact(ctx) == nil { // Run alone does it once a second
			runtime.Gosched()
		}
	}()
	out := &lockedWriter{w: os.Stdout}
	var wg sync.WaitGroup
	for p := range killPutters {
		wg.Go(func() {
			for v := base; ; v++ {
				id := p*1000 + v%61
				out.print("-%d %d\n", id, v)
				if err := putText(s, fmt.Sprint("k", id), killText(id, v)); err != nil {
					fmt.Fprintln(os.Stderr, "put:", err)
					os.Exit(1)
				}
				out.print("+%d %d\n", id, v)
			}
		})
	}
	wg.Wait()
	return 0
}

// killText is what version v of an entry holds: inline, a file, or several outputs.
func killText(id, v int) string {
	switch v % 5 {
	case 0:
		return fmt.Sprintf("file %d %d %s", id, v, strings.Repeat("0123456789abcdef", 200))
	case 1:
		return fmt.Sprintf("multi %d %d", id, v)
	}
	return fmt.Sprintf("inline %d %d", id, v)
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// print writes one acknowledgement by one system call: what the parent has read was acknowledged.
func (l *lockedWriter) print(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, format, args...)
}

// TestKillLoop kills a child that puts, again and again on one root, and demands every acknowledged entry back.
func TestKillLoop(t *testing.T) {
	rng := testkit.Rand(t)
	root := t.TempDir()
	acked := map[int]int{}
	live := 0
	for round := range killRounds {
		durability := Durability(round % 3)
		if killOnce(t, rng, root, round*1_000_000, durability, acked) {
			live++
		}
		checkKilled(t, root, acked)
		if t.Failed() {
			t.Fatalf("round %d, durability %d", round, durability)
		}
	}
	t.Logf("%d of %d kills hit a live put; %d entries checked each time", live, killRounds, len(acked))
	if live*10 < killRounds*9 {
		t.Errorf("only %d of %d kills hit a live put", live, killRounds)
	}
}

// killOnce runs the child for a random number of acknowledgements, and reports whether the kill hit a put that had begun
// and was not acknowledged.
func killOnce(t *testing.T, rng *rand.Rand, root string, base int, d Durability, acked map[int]int) bool {
	c := testkit.Start(t, "putter", root, strconv.Itoa(base), strconv.Itoa(int(d)))
	after := 1 + rng.IntN(1000)
	n, inside := 0, 0
	read := make(chan error, 1)
	due := make(chan struct{})
	go func() {
		for {
			line, err := c.Out.ReadString('\n')
			var id, v int
			if k, _ := fmt.Sscanf(line, "-%d %d\n", &id, &v); k == 2 {
				inside++
			} else if k, _ := fmt.Sscanf(line, "+%d %d\n", &id, &v); k == 2 {
				inside--
				acked[id] = max(acked[id], v)
				if n++; n == after {
					close(due)
				}
			}
			if err != nil {
				read <- err
				return
			}
		}
	}()
	select {
	case <-due:
	case err := <-read:
		c.Kill()
		t.Fatalf("child ended after %d acknowledgements: %v\n%s", n, err, c.Stderr())
	case <-time.After(time.Minute):
		c.Kill()
		t.Fatalf("child hangs after %d acknowledgements\n%s", n, c.Stderr())
	}
	c.Kill()
	<-read
	return inside > 0
}

// checkKilled opens what the kill left and compares it with what was acknowledged. A later version than the
// acknowledged one is fine: its acknowledgement was cut off.
func checkKilled(t *testing.T, root string, acked map[int]int) {
	ctx := context.Background()
	s, err := open(ctx, root, mustDefaults(t, nil), osSeams(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	for id, v := range acked {
		text, err := getText(s, fmt.Sprint("k", id))
		var gotID, got int
		kind, _, _ := strings.Cut(text, " ")
		fmt.Sscanf(strings.TrimPrefix(text, kind+" "), "%d %d", &gotID, &got)
		if err != nil || gotID != id || got < v || text != killText(id, got) {
			t.Errorf("entry %d: %.40q, %v; version %d was acknowledged", id, text, err, v)
			return
		}
	}
	if err := errors.Join(s.finishRebuild(ctx), audit(s, false)); err != nil {
		t.Error(err)
	}
	if files, err := os.ReadDir(root + "/tmp"); err != nil || len(files) > 0 {
		t.Errorf("%d temporary files were not collected, %v", len(files), err)
	}
}
