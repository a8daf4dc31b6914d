package cache

import (
	"fmt"
	"io/fs"
	"sync"
	"time"
)

// Artifact is a leased view of what is stored under a key. It is safe for concurrent use until
// Release, and stays as it was when it was got, whatever happens to the key meanwhile.
type Artifact struct {
	s     *Store
	key   Key
	rec   record
	lease *lease
	first lease // what lease points to, if nobody else had one

	mu       sync.Mutex
	items    []item // once the table was read
	lone     [1]item
	area     []byte // the table's inline area
	pinned   []Digest
	released bool
}

// Output describes one output of an artifact.
type Output struct {
	Name   string      // relative and slash-separated
	Mode   fs.FileMode // permission bits; fs.ModeSymlink for a symbolic link
	Size   int64       // bytes; 0 for a symbolic link
	Digest Digest      // of the content; zero for a symbolic link
	Target string      // of a symbolic link
}

// Entry describes an artifact without its content.
type Entry struct {
	Key      Key
	Outputs  int
	Size     int64         // bytes of all outputs, streams and metadata
	Blocks   int64         // 4 KiB blocks they take, and one more for each of them
	Cost     time.Duration // what it took to produce
	Created  time.Time
	LastUse  time.Time // of a get, else when it was put; exact to about an hour
	Uses     uint32    // how often a get renewed LastUse, at most once an hour and not in the hour after the put
	ExitCode int
	Leased   bool
}

// Key returns the key the artifact was got by.
func (a *Artifact) Key() Key { return a.key }

// ExitCode returns the step's exit code.
func (a *Artifact) ExitCode() int { return int(a.rec.exitCode) }

// Cost returns how long the step took, zero when that was not recorded.
func (a *Artifact) Cost() time.Duration { return a.rec.cost }

// Created returns when the artifact was put.
func (a *Artifact) Created() time.Time { return time.Unix(0, a.rec.created) }

// Entry returns what is known of the artifact without reading its content.
func (a *Artifact) Entry() Entry { return entryOf(a.key, &a.rec, true) }

func entryOf(key Key, r *record, leased bool) Entry {
	outputs := int(r.outputs)
	if !r.table() {
		outputs = 1
	}
	return Entry{
		Key: key, Outputs: outputs, Size: r.size, Blocks: int64(r.blocks), Cost: r.cost,
		Created: time.Unix(0, r.created), LastUse: time.Unix(int64(r.lastUse), 0), Uses: r.uses,
		ExitCode: int(r.exitCode), Leased: leased,
	}
}

// Outputs lists the outputs in the order they were added. The slice is the caller's.
func (a *Artifact) Outputs() ([]Output, error) {
	items, err := a.use()
	if err != nil {
		return nil, err
	}
	defer a.s.end()
	list := make([]Output, 0, len(items))
	for i := range items {
		if items[i].isOutput() {
			list = append(list, items[i].output())
		}
	}
	return list, nil
}

// Output describes one output; a name that the artifact does not have is [fs.ErrNotExist].
func (a *Artifact) Output(name string) (Output, error) {
	items, err := a.use()
	if err != nil {
		return Output{}, err
	}
	defer a.s.end()
	it, err := outputOf(items, name)
	if err != nil {
		return Output{}, err
	}
	return it.output(), nil
}

// Stdout returns what the step printed on standard output, verified. The slice is the caller's.
func (a *Artifact) Stdout() ([]byte, error) { return a.stream(itemStdout) }

// Stderr returns what the step printed on standard error, verified. The slice is the caller's.
func (a *Artifact) Stderr() ([]byte, error) { return a.stream(itemStderr) }

// Metadata returns what [Draft.SetMetadata] attached, verified. The slice is the caller's.
func (a *Artifact) Metadata() ([]byte, error) { return a.stream(itemMetadata) }

func (a *Artifact) stream(kind itemKind) ([]byte, error) {
	items, err := a.use()
	if err != nil {
		return nil, err
	}
	defer a.s.end()
	for i := range items {
		if items[i].kind == kind {
			return a.verifiedBytes(&items[i])
		}
	}
	return nil, nil
}

// Release gives the lease back. Paths handed out are no longer held; every other verb that can fail
// returns [ErrClosed]. It is idempotent and safe to call from any goroutine.
func (a *Artifact) Release() {
	a.mu.Lock()
	if a.released {
		a.mu.Unlock()
		return
	}
	a.released = true
	pinned := a.pinned
	a.pinned, a.area = nil, nil
	if a.rec.table() { // a lone item stays in its place, where others may read it
		a.items = nil
	}
	a.mu.Unlock()
	s := a.s
	s.unpin(s.shard(&a.key).release(a.lease))
	s.unpin(pinned)
	s.tearDown()
}

// use holds the store open for one verb, until [Store.end], and returns what the artifact holds,
// which it reads first when the record does not tell. A store that is closing still serves those
// who hold leases.
func (a *Artifact) use() ([]item, error) {
	items, err := a.known()
	if items != nil || err != nil {
		return items, err
	}
	read := false
	defer a.s.endUnless(&read)
	items, area, err := a.readTable()
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.items, a.area = items, area
	a.mu.Unlock()
	read = true
	return items, nil
}

func (a *Artifact) errReleased() error { return fmt.Errorf("cache: artifact %v: %w", a.key, ErrClosed) }

// known is use, but returns nil where the table must be read.
func (a *Artifact) known() ([]item, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.released {
		return nil, a.errReleased()
	}
	a.s.enter()
	if r := &a.rec; a.items == nil && !r.table() {
		a.lone[0] = item{mode: r.mode, size: r.content, digest: r.digest, xxh: r.xxh, offset: noOffset,
			name: string(r.name[:r.nameLen])}
		if r.inline() {
			a.lone[0].offset = 0
		}
		a.items = a.lone[:]
	}
	return a.items, nil
}

// outputOf finds an output by name.
func outputOf(items []item, name string) (*item, error) {
	for i := range items {
		if items[i].name == name && items[i].isOutput() {
			return &items[i], nil
		}
	}
	return nil, &fs.PathError{Op: "cache: output", Path: name, Err: fs.ErrNotExist}
}

func (a *Artifact) readTable() ([]item, []byte, error) {
	r := &a.rec
	area, err := a.readArea()
	if err != nil {
		return nil, nil, err
	}
	var text []byte
	if r.inline() {
		text = area[int64(len(area))-r.content:]
	} else {
		it := item{size: r.content, digest: r.digest, offset: noOffset}
		if text, err = a.readPayload(&it); err != nil {
			return nil, nil, err
		}
	}
	items, err := parseTable(text)
	if err != nil {
		return nil, nil, a.corrupt(Digest{}, "its output table does not parse")
	}
	if items == nil {
		items = []item{}
	}
	return items, area, nil
}
