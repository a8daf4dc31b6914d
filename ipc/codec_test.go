package ipc_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// word encodes itself with a letter before it.
type word string

func (w word) AppendBinary(b []byte) ([]byte, error) {
	if w == "unspeakable" {
		return nil, errors.New("cannot be said")
	}
	return append(append(b, '='), w...), nil
}

func (w *word) UnmarshalBinary(b []byte) error {
	s, ok := strings.CutPrefix(string(b), "=")
	if !ok {
		return errors.New("no word")
	}
	*w = word(s)
	return nil
}

func TestTypedCall(t *testing.T) {
	s := newServer(t, nil)
	s.Handle(60, ipc.HandlerOf(ipc.Binary{}, func(_ context.Context, w word) (word, error) {
		if w == "wrong" {
			return "", &ipc.RemoteError{Code: 1000, Message: "wrong word"}
		}
		return w + "!", nil
	}))
	s.Handle(62, ipc.HandlerOf(ipc.Binary{}, func(context.Context, word) (word, error) {
		return "unspeakable", nil
	}))
	s.Handle(61, func(context.Context, *ipc.Request) (*ipc.Response, error) { return nil, nil })
	c := ipctest.Client(t, s, nil)
	for _, tc := range []struct {
		name    string
		op      uint16
		in      word
		out     word
		outcome ipc.Outcome
		says    string
	}{
		{"good", 60, "hello", "hello!", 0, ""},
		{"empty", 60, "", "!", 0, ""},
		{"error", 60, "wrong", "", ipc.Answered, "wrong word"},
		{"request not encoded", 60, "unspeakable", "", ipc.NotProcessed, "cannot be said"},
		{"answer not encoded", 62, "x", "", ipc.Answered, "cannot be said"},
		{"answer not decoded", 61, "x", "", ipc.Answered, "no word"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := ipc.CallAs[word](t.Context(), c, ipc.Binary{}, tc.op, tc.in)
			if out != tc.out || (err != nil) != (tc.says != "") {
				t.Fatalf("%q, %v", out, err)
			}
			if err != nil && (ipc.OutcomeOf(err) != tc.outcome || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("%v, outcome %v", err, ipc.OutcomeOf(err))
			}
		})
	}
	if _, err := c.Call(t.Context(), 60, []byte("no word")); !strings.Contains(err.Error(), "no word") {
		t.Errorf("a request that is none says %v", err)
	}
	if _, err := ipc.CallAs[int](t.Context(), c, ipc.Binary{}, 60, 5); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a type without a code says %v", err)
	}
}
