package buildabi

import (
	"testing"
	"time"

	abi "github.com/larderbuild/larder/buildabi"
)

// Every recording is there, begins with a Hello and can be played.
func TestRecordings(t *testing.T) {
	for _, name := range recordings {
		list, err := load(name)
		if err != nil || len(list) < 10 {
			t.Fatalf("%s: %d messages, %v", name, len(list), err)
		}
		hello, ok := list[0].msg.(*abi.Hello)
		if !ok {
			t.Fatalf("%s begins with %T", name, list[0].msg)
		}
		board := abi.NewBoard(&abi.BoardOptions{Version: versionOf(name), TimeReport: hello.TimeReport})
		p := &player{version: versionOf(name), waiting: map[string]time.Time{}}
		p.build = board.StartBuild(hello.Steps...)
		for i, m := range list[1:] {
			if err := p.call(board, hello, m.msg); err != nil {
				t.Errorf("%s: message %d: %v", name, i+1, err)
			}
		}
	}
}
