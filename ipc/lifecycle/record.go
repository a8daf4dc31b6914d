package lifecycle

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/internal/filelock"
)

// Info is what a claim's holder, or who starts a server, says of itself in the file that it has
// locked. It tells people and programs whom to wait for; the lock alone decides.
type Info struct {
	Process  ipc.Process
	Instance string // one run of a server
	Version  string
}

// infoOf is what a server that answers says of itself.
func infoOf(s ipc.ServerInfo) Info { return Info{s.Process, s.Instance, s.Version} }

// stage is how far a holder has come.
type stage string

const (
	claimed   stage = "claimed"   // does not listen yet
	listening stage = "listening" // takes connections
	draining  stage = "draining"  // takes none any more
)

// record is the contents of a locked file: lines of a name and a value, the last one "end".
type record struct {
	Info
	stage stage
}

const (
	recordHead = "larder-holder 1"
	recordEnd  = "end"
	maxRecord  = 16 << 10
	maxName    = 1024 // bytes of an instance or a version
)

func (r record) append(b []byte) []byte {
	for _, line := range [][2]string{
		{recordHead, ""},
		{"stage ", string(r.stage)},
		{"pid ", strconv.Itoa(r.Process.PID)},
		{"start ", strconv.FormatUint(r.Process.Start, 10)},
		{"instance ", strconv.Quote(r.Instance)},
		{"version ", strconv.Quote(r.Version)},
		{recordEnd, ""},
	} {
		b = append(append(append(b, line[0]...), line[1]...), '\n')
	}
	return b
}

// thisProcess is what a server says of its process as well: at least the number.
func thisProcess() ipc.Process {
	p, _ := ipc.ProcessOf(os.Getpid())
	p.PID = os.Getpid()
	return p
}

var errRecord = errors.New("no record of a holder")

func parseRecord(b []byte) (record, error) {
	lines := strings.Split(string(b), "\n")
	last := len(lines) - 2
	if last < 1 || lines[0] != recordHead || lines[last] != recordEnd || lines[last+1] != "" {
		return record{}, errRecord
	}
	var r record
	for _, line := range lines[1:last] {
		if !r.set(strings.Cut(line, " ")) {
			return record{}, errRecord
		}
	}
	return r, nil
}

// set takes a line as [strings.Cut] parts it. It skips names that it does not know: a newer holder may
// say more.
func (r *record) set(name, value string, _ bool) bool {
	var err error
	switch name {
	case "stage":
		r.stage = stage(value)
	case "pid":
		r.Process.PID, err = strconv.Atoi(value)
	case "start":
		r.Process.Start, err = strconv.ParseUint(value, 10, 64)
	case "instance":
		r.Instance, err = strconv.Unquote(value)
	case "version":
		r.Version, err = strconv.Unquote(value)
	}
	return err == nil
}

// write replaces what the file says. Readers see the old, the new, or nothing that they take
// for a record: if the new were written over the old, they could see a mixture that is one.
func (r record) write(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(r.append(make([]byte, 0, 256)), 0)
	return err
}

// holderOf reads who holds the lock of a file. It is empty if nobody does: a record that was left
// over, or copied, says nothing of a process that lives. A holder without a record has just come
// or is about to go.
func holderOf(path string) record {
	r := readRecord(path)
	switch {
	case !filelock.Held(path):
		return record{}
	case r == record{}:
		r.stage = claimed
	}
	return r
}

// readRecord reads what the holder of a locked file says. An empty record means that it says
// nothing, or is just writing.
func readRecord(path string) record {
	f, err := os.Open(path)
	if err != nil {
		return record{}
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return record{}
	}
	r, err := parseRecord(bytes.TrimRight(b, "\x00"))
	if err != nil {
		return record{}
	}
	return r
}
