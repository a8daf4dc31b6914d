package ipc

import (
	"context"
	"encoding"
	"errors"
)

// Codec turns values into payloads and back. It is safe for concurrent use.
type Codec interface {
	// Append appends v to b.
	Append(b []byte, v any) ([]byte, error)
	// Decode reads b into what v points to, and keeps no part of b.
	Decode(b []byte, v any) error
}

// Caller is what makes calls: a [*Client] or a [*Conn].
type Caller interface {
	Call(ctx context.Context, op uint16, payload []byte) ([]byte, error)
}

// CallAs calls op with a value and returns the answer as one. The type of the answer comes first,
// that of the request follows from the argument. An error of the codec is in a [*CallError]: that of a
// value which cannot be encoded is NotProcessed, that of an answer which cannot be decoded Answered.
func CallAs[Out, In any](ctx context.Context, c Caller, codec Codec, op uint16, in In) (Out, error) {
	var out Out
	payload, err := codec.Append(nil, in)
	if err != nil {
		return out, &CallError{op, PhaseQueue, NotProcessed, err}
	}
	answer, err := c.Call(ctx, op, payload)
	if err != nil {
		return out, err
	}
	if err := codec.Decode(answer, &out); err != nil {
		var none Out
		return none, &CallError{op, PhaseRead, Answered, err}
	}
	return out, nil
}

// HandlerOf makes a handler of a function of values. A request that cannot be decoded is answered
// with [CodeFailed].
func HandlerOf[In, Out any](codec Codec, f func(ctx context.Context, in In) (Out, error)) Handler {
	return func(ctx context.Context, req *Request) (*Response, error) {
		var in In
		if err := codec.Decode(req.Payload, &in); err != nil {
			return nil, err
		}
		out, err := f(ctx, in)
		if err != nil {
			return nil, err
		}
		answer, err := codec.Append(req.Buffer(), out)
		if err != nil {
			return nil, err
		}
		return req.Reply(answer), nil
	}
}

// Binary is a [Codec] for values that encode themselves: an [encoding.BinaryAppender] and, at its
// address, an [encoding.BinaryUnmarshaler]. Other values are an [errors.ErrUnsupported].
type Binary struct{}

// Append appends v, or what it points to.
func (Binary) Append(b []byte, v any) ([]byte, error) {
	a, ok := v.(encoding.BinaryAppender)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return a.AppendBinary(b)
}

// Decode reads b into what v points to.
func (Binary) Decode(b []byte, v any) error {
	u, ok := v.(encoding.BinaryUnmarshaler)
	if !ok {
		return errors.ErrUnsupported
	}
	return u.UnmarshalBinary(b)
}
