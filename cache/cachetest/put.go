package cachetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"time"

	"github.com/larderbuild/larder/cache"
)

// What was put is what is got.
var putRules = []rule{
	{"get/miss", func(t *trial) { t.miss(keyOf(0)) }},
	{"get/own copy", getOwnCopy},
	{"get/many readers", getManyReaders},
	{"put/everything", func(t *trial) { t.roundTrip(keyOf(0), everything()) }},
	{"put/order of outputs", putOrder},
	{"put/modes", putModes},
	{"put/symlinks", putSymlinks},
	{"put/streams", putStreams},
	{"put/exit code", putExitCode},
	{"put/cost", putCost},
	{"put/metadata", putMetadata},
	{"put/metadata too large", putMetadataTooLarge},
	{"put/empty artifact", func(t *trial) { t.roundTrip(keyOf(0), Artifact{}) }},
	{"put/sizes", putSizes},
	{"put/same content twice", putSameContentTwice},
	{"put/many outputs", putManyOutputs},
	{"put/long names", putLongNames},
	{"put/own copy", putOwnCopy},
	{"put/cancelled", putCancelled},
}

// everything returns an artifact that uses every field.
func everything() Artifact {
	return Artifact{
		Outputs: []Output{
			{Name: "obj/main.o", Mode: 0o644, Content: noise(5000, 1)},
			{Name: "bin/prog", Mode: 0o755, Content: noise(70, 2)},
			{Name: "bin/empty", Mode: 0o644},
			{Name: "bin/latest", Mode: fs.ModeSymlink | 0o777, Target: "prog"},
		},
		Stdout:   []byte("compiling\n"),
		Stderr:   []byte("warning: unused\n"),
		ExitCode: 3,
		Cost:     1234567891 * time.Nanosecond,
		Metadata: []byte{0, 1, 2, 255},
	}
}

// getOwnCopy changes what one reader got: the next must not see it, of the same lease neither.
func getOwnCopy(t *trial) {
	a := Artifact{Outputs: text("content").Outputs, Stdout: []byte("out"), Metadata: []byte("meta")}
	t.put(keyOf(0), a.clone())
	l := t.get(keyOf(0))
	got, err := l.Read()
	if err != nil {
		t.Fatal(err)
	}
	got.Outputs[0].Name = "changed"
	for _, b := range [][]byte{got.Outputs[0].Content, got.Stdout, got.Metadata} {
		clear(b)
	}
	t.holds(l, a)
	t.want(keyOf(0), a)
}

// getManyReaders reads one lease from several goroutines at a time.
func getManyReaders(t *trial) {
	for i, size := range []int{10, 5000} {
		a := file(noise(size, i))
		t.put(keyOf(i), a)
		l := t.get(keyOf(i))
		t.together(func() error { return reads(l, a) })
	}
}

// putOwnCopy changes what was put after it was put.
func putOwnCopy(t *trial) {
	a := Artifact{Outputs: text("content").Outputs, Stdout: []byte("out"), Metadata: []byte("meta")}
	mine := a.clone()
	t.put(keyOf(0), mine)
	mine.Outputs[0].Name = "changed"
	for _, b := range [][]byte{mine.Outputs[0].Content, mine.Stdout, mine.Metadata} {
		clear(b)
	}
	t.want(keyOf(0), a)
}

// putOrder uses names in an order that is neither of names nor of sizes.
func putOrder(t *trial) {
	var a Artifact
	for i, name := range []string{"m", "z", "a", "dir/b", "Q", "0", "dir/a"} {
		a.Outputs = append(a.Outputs, Output{Name: name, Mode: 0o644, Content: []byte{byte(i)}})
	}
	t.roundTrip(keyOf(0), a)
}

// putModes puts one content under several modes, so that a store that shares content by its
// digest must keep the mode elsewhere.
func putModes(t *trial) {
	for i, size := range []int{0, 10, 5000} {
		var a Artifact
		for _, mode := range []fs.FileMode{0o644, 0o755, 0o600, 0o700, 0o444, 0o555} {
			name := fmt.Sprintf("%03o", mode)
			a.Outputs = append(a.Outputs, Output{Name: name, Mode: mode, Content: noise(size, 0)})
		}
		t.roundTrip(keyOf(i), a)
	}
}

// putSymlinks demands the text of a link unchanged: only a delivery may judge where it leads.
func putSymlinks(t *trial) {
	var a Artifact
	for i, target := range []string{
		"x", "dir/x", "../x", "a b", "./x/", "/absolute/x", "ünï", strings.Repeat("long/", 100),
	} {
		name := fmt.Sprintf("links/%d", i)
		a.Outputs = append(a.Outputs, Output{Name: name, Mode: fs.ModeSymlink | 0o777, Target: target})
	}
	t.roundTrip(keyOf(0), a)
}

// putStreams goes beyond what a store may keep in a record.
func putStreams(t *trial) {
	for i, a := range []Artifact{
		{Stdout: []byte("out")},
		{Stderr: []byte("err")},
		{Stdout: []byte("same"), Stderr: []byte("same")},
		{Stdout: noise(5000, 1), Stderr: noise(300<<10, 2)},
	} {
		t.roundTrip(keyOf(i), a)
	}
}

// putExitCode has codes of every width that some system uses: Windows ends programs that crash with
// codes like 0xC0000005, which package os reports as a positive int.
func putExitCode(t *trial) {
	for i, code := range []int64{1, 255, -1, math.MinInt32, math.MaxInt32, math.MaxUint32} {
		t.roundTrip(keyOf(i), Artifact{ExitCode: int(code)})
	}
}

func putCost(t *trial) {
	for i, cost := range []time.Duration{1, 999, time.Second + 1, 1000 * time.Hour} {
		t.roundTrip(keyOf(i), Artifact{Cost: cost})
	}
}

// putMetadata goes up to the limit.
func putMetadata(t *trial) {
	for i, size := range []int{1, 100, 1024, 5000, 64 << 10} {
		t.roundTrip(keyOf(i), Artifact{Metadata: noise(size, i)})
	}
}

// putMetadataTooLarge demands an error, not a cut.
func putMetadataTooLarge(t *trial) {
	err := t.store.Put(t.ctx, keyOf(0), Artifact{Metadata: noise(64<<10+1, 0)})
	if !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("put of 64 KiB and a byte: %v; want ErrTooLarge", err)
	}
	t.miss(keyOf(0))
}

// fileSizes stand about the sizes at which a store may change how it keeps or checks a file.
var fileSizes = []int{
	0, 1, 1023, 1024, 1025, 4095, 4096, 4097, 64 << 10, 1 << 20, 1<<20 + 1,
}

func putSizes(t *trial) {
	for i, size := range fileSizes {
		t.part(fmt.Sprint(size), func(t *trial) { t.roundTrip(keyOf(i), file(noise(size, i))) })
	}
}

// putSameContentTwice has one artifact refer to one content more than once, in outputs and streams.
func putSameContentTwice(t *trial) {
	for i, size := range []int{0, 100, 5000} {
		content := noise(size, i)
		t.roundTrip(keyOf(i), Artifact{
			Outputs: []Output{
				{Name: "one", Mode: 0o644, Content: content},
				{Name: "other", Mode: 0o755, Content: content},
			},
			Stdout: content, Stderr: content, Metadata: content,
		})
	}
}

// putManyOutputs has more outputs than a record can hold.
func putManyOutputs(t *trial) {
	var a Artifact
	for i := range 1000 {
		name := fmt.Sprintf("dir%d/out%d", i%7, i)
		a.Outputs = append(a.Outputs, Output{Name: name, Mode: 0o644, Content: fmt.Append(nil, i)})
	}
	a.Outputs[500].Content = noise(5000, 0)
	t.roundTrip(keyOf(0), a)
}

// putLongNames has names about the room of a record, long elements, and deep folders.
func putLongNames(t *trial) {
	for i, name := range []string{
		strings.Repeat("n", 12), strings.Repeat("n", 13), strings.Repeat("n", 255),
		strings.Repeat("deep/", 60) + "out",
		strings.Repeat(strings.Repeat("d", 200)+"/", 10) + "out",
	} {
		a := text("x")
		a.Outputs[0].Name = name
		t.roundTrip(keyOf(i), a)
	}
}

// putCancelled demands that a put whose caller has left changes nothing.
func putCancelled(t *trial) {
	ended, end := context.WithCancel(t.ctx)
	end()
	t.put(keyOf(1), text("old"))
	for i := range 2 {
		if err := t.store.Put(ended, keyOf(i), text("new")); !errors.Is(err, context.Canceled) {
			t.Errorf("put with an ended context: %v; want context.Canceled", err)
		}
	}
	t.miss(keyOf(0))
	t.want(keyOf(1), text("old"))
}
