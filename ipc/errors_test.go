package ipc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

func TestOutcomeString(t *testing.T) {
	for o, want := range map[ipc.Outcome]string{
		ipc.MaybeProcessed: "maybe processed", ipc.NotProcessed: "not processed", ipc.Answered: "answered", 77: "unknown",
	} {
		if got := o.String(); got != want {
			t.Errorf("%d is %q, want %q", o, got, want)
		}
	}
}

// TestOutcomeOf asks about what is no error of a call: who repeats a call unless it may have run repeats none of them.
func TestOutcomeOf(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want ipc.Outcome
	}{
		{nil, ipc.Answered}, {io.EOF, ipc.MaybeProcessed}, {ipc.ErrNotRunning, ipc.MaybeProcessed},
		{fmt.Errorf("wrapped: %w", &ipc.CallError{Outcome: ipc.NotProcessed, Err: io.EOF}), ipc.NotProcessed},
	} {
		if got := ipc.OutcomeOf(tc.err); got != tc.want {
			t.Errorf("%v is %v, want %v", tc.err, got, tc.want)
		}
	}
}

// TestErrorsAre holds which errors of this package and of the standard library each error is.
func TestErrorsAre(t *testing.T) {
	targets := map[string]error{
		"ErrClosed": ipc.ErrClosed, "ErrTimeout": ipc.ErrTimeout, "ErrBusy": ipc.ErrBusy, "ErrDraining": ipc.ErrDraining,
		"ErrTooLarge": ipc.ErrTooLarge, "ErrVersion": ipc.ErrVersion, "ErrRefused": ipc.ErrRefused, "ErrWedged": ipc.ErrWedged,
		"ErrProtocol": ipc.ErrProtocol, "ErrNotRunning": ipc.ErrNotRunning,
		"fs.ErrClosed": fs.ErrClosed, "fs.ErrNotExist": fs.ErrNotExist, "fs.ErrPermission": fs.ErrPermission,
		"os.ErrDeadlineExceeded": os.ErrDeadlineExceeded, "errors.ErrUnsupported": errors.ErrUnsupported,
		"context.DeadlineExceeded": context.DeadlineExceeded, "context.Canceled": context.Canceled,
	}
	remote := func(code uint32) error { return &ipc.RemoteError{Code: code} }
	for _, tc := range []struct {
		name    string
		err     error
		outcome ipc.Outcome // of a call that is answered with it
		is      []string
	}{
		{"ErrClosed", ipc.ErrClosed, 0, []string{"ErrClosed", "fs.ErrClosed"}},
		{"ErrTimeout", ipc.ErrTimeout, 0, []string{"ErrTimeout", "os.ErrDeadlineExceeded", "context.DeadlineExceeded"}},
		{"ErrBusy", ipc.ErrBusy, 0, []string{"ErrBusy"}},
		{"ErrDraining", ipc.ErrDraining, 0, []string{"ErrDraining"}},
		{"ErrTooLarge", ipc.ErrTooLarge, 0, []string{"ErrTooLarge"}},
		{"ErrVersion", ipc.ErrVersion, 0, []string{"ErrVersion", "errors.ErrUnsupported"}},
		{"ErrRefused", ipc.ErrRefused, 0, []string{"ErrRefused", "fs.ErrPermission"}},
		{"ErrWedged", ipc.ErrWedged, 0, []string{"ErrWedged"}},
		{"ErrProtocol", ipc.ErrProtocol, 0, []string{"ErrProtocol"}},
		{"ErrNotRunning", ipc.ErrNotRunning, 0, []string{"ErrNotRunning", "fs.ErrNotExist"}},

		{"failed", remote(ipc.CodeFailed), ipc.Answered, nil},
		{"internal", remote(ipc.CodeInternal), ipc.Answered, nil},
		{"unknown", remote(ipc.CodeUnknown), ipc.Answered, []string{"errors.ErrUnsupported"}},
		{"deadline", remote(ipc.CodeDeadline), ipc.Answered, []string{"os.ErrDeadlineExceeded", "context.DeadlineExceeded"}},
		{"cancelled", remote(ipc.CodeCancelled), ipc.Answered, []string{"context.Canceled"}},
		{"answer too large", remote(6), ipc.Answered, []string{"ErrTooLarge"}},
		{"before the refusals", remote(15), ipc.Answered, nil},
		{"busy", remote(16), ipc.NotProcessed, []string{"ErrBusy"}},
		{"draining", remote(17), ipc.NotProcessed, []string{"ErrDraining"}},
		{"too large", remote(18), ipc.NotProcessed, []string{"ErrTooLarge"}},
		{"refused", remote(19), ipc.NotProcessed, []string{"ErrRefused", "fs.ErrPermission"}},
		{"starting", remote(20), ipc.NotProcessed, []string{"ErrBusy"}},
		{"version", remote(21), ipc.NotProcessed, []string{"ErrVersion", "errors.ErrUnsupported"}},
		{"the last refusal", remote(31), ipc.NotProcessed, nil},
		{"after the refusals", remote(32), ipc.Answered, nil},
		{"host", remote(ipc.CodeHost), ipc.Answered, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := map[string]bool{}
			for _, name := range tc.is {
				want[name] = true
			}
			for name, target := range targets {
				if errors.Is(tc.err, target) != want[name] {
					t.Errorf("%v is %s: %v", tc.err, name, !want[name])
				}
			}
			if code, ok := tc.err.(*ipc.RemoteError); ok {
				c := against(t, nil, func(f *os.File) {
					refusal := answer(next(f), "")
					refusal.Kind, refusal.Payload = ipc.KindError, ipc.AppendRawError(nil, code)
					f.Write(frame(refusal))
					untilClosed(f)
				})
				_, err := c.Call(t.Context(), 1, nil)
				if got := ipc.OutcomeOf(err); got != tc.outcome {
					t.Errorf("a call answered with it says %v, outcome %v, want %v", err, got, tc.outcome)
				}
			}
		})
	}
}
