package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
)

// playHolder owns a root until its standard input ends.
func playHolder(args []string) int {
	s, err := Open(context.Background(), args[0], nil)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("open")
	b := make([]byte, 1)
	os.Stdin.Read(b)
	s.Close(context.Background())
	return 0
}

func TestLockedByOtherProcess(t *testing.T) {
	dir := t.TempDir()
	c := testkit.Start(t, "holder", dir)
	if line, err := c.Out.ReadString('\n'); line != "open\n" {
		t.Fatal(line, err)
	}
	_, err := Open(t.Context(), dir, nil)
	locked, ok := errors.AsType[*LockedError](err)
	if !ok || locked.PID != c.Cmd.Process.Pid || locked.Dir == "" {
		t.Fatalf("open of a root that process %d owns: %v", c.Cmd.Process.Pid, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, dir, &Options{LockWait: -1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("open that waits until its context ends: %v", err)
	}
	start := time.Now()
	_, err = Open(t.Context(), dir, &Options{LockWait: 20 * time.Millisecond})
	if locked, ok := errors.AsType[*LockedError](err); !ok || locked.PID != c.Cmd.Process.Pid || time.Since(start) < 20*time.Millisecond {
		t.Fatalf("open that waits 20 ms: %v after %v", err, time.Since(start))
	}
	opened := make(chan error)
	go func() {
		s, err := Open(context.Background(), dir, &Options{LockWait: time.Minute})
		if err == nil {
			err = s.Close(context.Background())
		}
		opened <- err
	}()
	c.Kill()
	if err := <-opened; err != nil {
		t.Fatalf("open after the owner was killed: %v", err)
	}
}

func TestTwoStoresInOneProcess(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, nil); !errors.As(err, new(*LockedError)) {
		t.Errorf("second store on one root: %v", err)
	}
	other, err := Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(t.Context()), other.Close(t.Context())); err != nil {
		t.Error(err)
	}
	if s, err = Open(t.Context(), dir, nil); err != nil {
		t.Fatalf("root after close: %v", err)
	}
	s.Close(t.Context())
}
