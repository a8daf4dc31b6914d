package buildabi

import (
	"slices"
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

// What follows within a fifth of a millisecond is of the same pass, the first and the last ones too.
func TestPasses(t *testing.T) {
	var sizes []int
	list := []moment{{at: 0}, {at: 200e3}, {at: 400e3}, {at: 601e3}, {at: 700e3}, {at: 1e9}}
	for _, p := range passes(list) {
		sizes = append(sizes, len(p))
	}
	if !slices.Equal(sizes, []int{3, 2, 1}) {
		t.Errorf("passes of %v messages", sizes)
	}
}
