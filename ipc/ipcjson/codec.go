// Package ipcjson holds what of package ipc needs encoding/json or log/slog: a codec, a log of
// events with a line of JSON for each, and events as records of a logger. Programs that make one
// call and end start faster without it.
//
// [Codec] goes into [ipc.CallAs] and [ipc.HandlerOf]. [Log.Event] and the function that [Slog]
// returns go into the Events options of servers and of package lifecycle.
package ipcjson

import "encoding/json"

// Codec is an [ipc.Codec] that encodes values as JSON. Unknown fields are skipped.
type Codec struct{}

// Append appends v as JSON.
func (Codec) Append(b []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append(b, text...), nil
}

// Decode reads JSON into what v points to.
func (Codec) Decode(b []byte, v any) error { return json.Unmarshal(b, v) }
