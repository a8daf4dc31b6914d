package child_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/bench/child"
)

type pair struct{ A, B int }

func jobs() map[string]child.Job {
	return map[string]child.Job{
		"add": child.JobOf(func(_ context.Context, p pair) (int, error) { return p.A + p.B, nil }),
		"pid": child.JobOf(func(context.Context, pair) (int, error) { return os.Getpid(), nil }),
		"fail": child.JobOf(func(context.Context, pair) (int, error) {
			return 0, errors.New("no room\nat all")
		}),
		"wait": child.JobOf(func(ctx context.Context, _ pair) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}),
	}
}

func TestMain(m *testing.M) {
	if code, isChild := child.Main(os.Args, jobs()); isChild {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	if got, err := child.Run[int](t.Context(), "add", pair{2, 3}); err != nil || got != 5 {
		t.Errorf("add: %d, %v, want 5", got, err)
	}
	pid, err := child.Run[int](t.Context(), "pid", pair{})
	if err != nil || pid == os.Getpid() {
		t.Errorf("pid %d, %v, want another process than %d", pid, err, os.Getpid())
	}
}

func TestRunSaysWhatTheChildSaid(t *testing.T) {
	for job, want := range map[string]string{"fail": "no room at all", "gone": `no job "gone"`} {
		_, err := child.Run[int](t.Context(), job, pair{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", job, err, want)
		}
	}
}

func TestRunEndsTheChildWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	cancel(stopped)
	if _, err := child.Run[int](ctx, "wait", pair{}); !errors.Is(err, stopped) {
		t.Errorf("error %v, want %v", err, stopped)
	}
}
