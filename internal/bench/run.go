package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/machine"
	"github.com/larderbuild/larder/internal/bench/report"
)

// run is the program. It returns the exit code: 1 when a row could not run, 2 for a wrong command line.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := measure(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// measure runs the suite in a temporary folder and prints what it found, also when it was interrupted.
func measure(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	dir, err := os.MkdirTemp(o.dir, "larder-bench-")
	if err != nil {
		return fmt.Errorf("bench: temporary folder: %w", err)
	}
	defer frame.RemoveAll(dir)
	about := machine.Line(dir, modules()...)
	if o.json {
		fmt.Fprintln(stderr, about)
	} else {
		fmt.Fprintln(stdout, about)
	}
	env := &frame.Env{
		Quick: o.quick, Rows: o.rows, Entries: o.entries, Dir: dir,
		Log: frame.NewProgress(stderr), Began: time.Now(),
	}
	rows, err := frame.Run(ctx, o.suite, env, func(r frame.Row) {
		if o.json {
			err := report.JSON(stdout, r)
			if err != nil {
				fmt.Fprintln(stderr, err)
			}
		}
	})
	return errors.Join(err, finish(o, rows, stdout))
}

// finish prints the table and the drawings and says whether anything is missing.
func finish(o *options, rows []frame.Row, stdout io.Writer) error {
	var errs []error
	if !o.json {
		errs = append(errs, report.Table(stdout, rows))
	}
	if o.plot != "" {
		errs = append(errs, report.Plot(o.plot, rows))
	}
	if len(rows) == 0 {
		errs = append(errs, errors.New("bench: no row was measured"))
	}
	broken := 0
	for _, r := range rows {
		if r.Err != nil {
			broken++
		}
	}
	if broken > 0 {
		errs = append(errs, fmt.Errorf("bench: %d of %d rows could not run", broken, len(rows)))
	}
	return errors.Join(errs...)
}
