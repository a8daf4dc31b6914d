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
		"answer": child.JobOf(func(ctx context.Context, p pair) (any, error) {
			return nil, child.Answer(ctx, func(_ context.Context, n int) (int, error) {
				if n == 0 {
					return 0, errors.New("no answer to nothing")
				}
				if n < 0 {
					os.Stderr.WriteString("enough\n")
					os.Exit(3)
				}
				return p.A * n, nil
			})
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

func TestWorker(t *testing.T) {
	started := false
	w, err := child.Start(t.Context(), "answer", pair{A: 7}, func(start func() error) error {
		started = true
		return start()
	})
	if err != nil || !started {
		t.Fatalf("started %v, error %v", started, err)
	}
	for n := 1; n < 4; n++ {
		if got, err := child.Ask[int](w, n); err != nil || got != 7*n {
			t.Errorf("question %d: %d, error %v", n, got, err)
		}
	}
	if _, err := child.Ask[int](w, 0); err == nil || !strings.Contains(err.Error(), "no answer to nothing") {
		t.Errorf("error %v, want the answer's own", err)
	}
	if got, err := child.Ask[int](w, 5); err != nil || got != 35 {
		t.Errorf("after an error: %d, error %v", got, err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := child.Ask[int](w, 1); err == nil {
		t.Error("a closed worker answers")
	}
}

func TestWorkerThatEndsSaysWhy(t *testing.T) {
	for job, want := range map[string]string{"answer": "enough", "fail": "no room", "gone": `no job "gone"`} {
		w, err := child.Start(t.Context(), job, pair{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := child.Ask[int](w, -1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", job, err, want)
		}
		if err := w.Close(); err != nil {
			t.Errorf("%s: closing says it again: %v", job, err)
		}
	}
}
