package child

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Worker is a child process that answers questions until it is closed. It is not safe for
// concurrent use.
type Worker struct {
	job    string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    *json.Decoder
	said   bytes.Buffer
	failed error
}

// reply is what travels back for each question.
type reply struct {
	Result json.RawMessage
	Err    string
}

// Start starts this program again to run the named job, which must call [Answer]. The process is
// started by start, which gets what starts it and may say where it runs; nil starts it here. When
// ctx ends the process is killed.
func Start(
	ctx context.Context, job string, params any, start func(func() error) error,
) (*Worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("bench: %s: %w", job, err)
	}
	p, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("bench: %s: %w", job, err)
	}
	w := &Worker{job: job, cmd: exec.CommandContext(ctx, self, word, job, string(p))}
	w.cmd.Stderr = &w.said
	w.cmd.WaitDelay = 10 * time.Second
	if w.stdin, err = w.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("bench: %s: %w", job, err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("bench: %s: %w", job, err)
	}
	w.out = json.NewDecoder(out)
	if start == nil {
		start = func(f func() error) error { return f() }
	}
	if err := start(w.cmd.Start); err != nil {
		return nil, fmt.Errorf("bench: %s: %w", job, err)
	}
	return w, nil
}

// Ask sends a question and returns the answer. After an error of the process itself the worker is
// of no more use but to be closed.
func Ask[A any](w *Worker, question any) (answer A, err error) {
	if w.failed != nil {
		return answer, w.failed
	}
	var r reply
	err = json.NewEncoder(w.stdin).Encode(question)
	if err == nil {
		err = w.out.Decode(&r)
	}
	if err != nil {
		w.failed = w.end()
		return answer, w.failed
	}
	if r.Err != "" {
		return answer, fmt.Errorf("bench: %s: %s", w.job, r.Err)
	}
	if err := json.Unmarshal(r.Result, &answer); err != nil {
		return answer, fmt.Errorf("bench: %s: answer: %w", w.job, err)
	}
	return answer, nil
}

// end waits for a process that has ended on its own and returns what it said.
func (w *Worker) end() error {
	w.stdin.Close()
	err := errors.Join(w.cmd.Wait(), tail(w.said.String()))
	if err == nil {
		err = errors.New("ended without an answer")
	}
	return fmt.Errorf("bench: %s: %w", w.job, err)
}

// Close ends the process and waits for it.
func (w *Worker) Close() error {
	if w.failed != nil {
		return nil // and said so
	}
	w.failed = fmt.Errorf("bench: %s: closed", w.job)
	w.stdin.Close()
	impatient := time.AfterFunc(10*time.Second, func() { w.cmd.Process.Kill() })
	defer impatient.Stop()
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("bench: %s: %w", w.job, errors.Join(err, tail(w.said.String())))
	}
	return nil
}

// Answer is what the job of a [Worker] does: it answers questions until the worker is closed.
func Answer[Q, A any](ctx context.Context, answer func(context.Context, Q) (A, error)) error {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var question Q
		if err := in.Decode(&question); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("bench: question: %w", err)
		}
		var r reply
		a, err := answer(ctx, question)
		if err != nil {
			r.Err = err.Error()
		} else if r.Result, err = json.Marshal(a); err != nil {
			return fmt.Errorf("bench: answer: %w", err)
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}
