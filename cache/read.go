package cache

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// verifyFirst is the largest output in bytes that Open verifies before the first byte is read.
const verifyFirst = 1 << 20

var errIsSymlink = errors.New("is a symbolic link")

// Open returns a reader of an output, which the caller closes: [Store.Close] waits for that. It
// goes on after Release. An output of at most 1 MiB has been verified when Open returns. A larger
// one is verified at its end: what the reader gives before may be wrong, and then it ends with
// [ErrCorrupt] and never with [io.EOF].
func (a *Artifact) Open(name string) (io.ReadCloser, error) {
	it, err := a.useFile(name)
	if err != nil {
		return nil, err
	}
	if it.inline() || it.size <= verifyFirst {
		defer a.s.end()
		b, err := a.verifiedBytes(it)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	opened := false
	defer a.s.endUnless(&opened)
	f, err := a.openPayload(it)
	if err != nil {
		return nil, err
	}
	opened = true
	r := &verifyingReader{a: a, it: it, f: f} // which is used until it is closed
	r.sum.Reset()
	return r, nil
}

// Bytes returns an output, verified. The slice is the caller's.
func (a *Artifact) Bytes(name string) ([]byte, error) {
	it, err := a.useFile(name)
	if err != nil {
		return nil, err
	}
	defer a.s.end()
	return a.verifiedBytes(it)
}

// useFile is use for a verb of one output that is no link.
func (a *Artifact) useFile(name string) (*item, error) {
	items, err := a.use()
	if err != nil {
		return nil, err
	}
	it, err := outputOf(items, name)
	if err == nil && it.kind == itemSymlink {
		err = &fs.PathError{Op: "cache: open output", Path: name, Err: errIsSymlink}
	}
	if err != nil {
		a.s.end()
		return nil, err
	}
	return it, nil
}

// verifiedBytes returns a copy of an item's bytes.
func (a *Artifact) verifiedBytes(it *item) ([]byte, error) {
	if !it.inline() {
		return a.readPayload(it)
	}
	if b := a.readLone(it); b != nil {
		return b, nil
	}
	b, err := a.inlineBytes(it)
	return bytes.Clone(b), err
}

// readLone reads a lone inline output from where it stands in the log, without the rest of its
// frame. It returns nil when that is not what was put, or is no more; then the frame has the last
// word.
func (a *Artifact) readLone(it *item) []byte {
	r := &a.rec
	if r.table() {
		return nil
	}
	b := make([]byte, it.size)
	err := a.s.flog.ReadBody(r.pos, int(int64(r.frameLen)-it.size), b)
	if err != nil || xxhash.Sum64(b) != it.xxh {
		return nil
	}
	return b
}

// inlineBytes returns the part of the inline area that holds an output, verified.
func (a *Artifact) inlineBytes(it *item) ([]byte, error) {
	area, err := a.inlineArea()
	if err != nil {
		return nil, err
	}
	end := int64(it.offset) + it.size
	if end > int64(len(area)) || xxhash.Sum64(area[it.offset:end]) != it.xxh {
		return nil, a.corrupt(Digest{}, "an inline output has wrong bytes")
	}
	return area[it.offset:end], nil
}

// inlineArea returns the inline area, which a table's reader has kept already.
func (a *Artifact) inlineArea() ([]byte, error) {
	a.mu.Lock()
	area := a.area
	a.mu.Unlock()
	if area != nil {
		return area, nil
	}
	return a.readArea()
}

// readArea reads the inline area of the artifact's frame. Compaction may move the frame and a
// replacement may drop it; then the lease has the area.
func (a *Artifact) readArea() ([]byte, error) {
	area, err := a.s.readArea(&a.rec)
	if err == nil {
		return area, nil
	}
	if kept := a.lease.area.Load(); kept != nil {
		return *kept, nil
	}
	if !errors.Is(err, framelog.ErrDamaged) && !errors.Is(err, framelog.ErrNotFound) &&
		!errors.Is(err, errRecord) {
		return nil, a.s.wrap("read "+a.key.String(), err)
	}
	return nil, a.missing(Digest{}, "its log frame is damaged: "+err.Error())
}

func (s *Store) readArea(r *record) ([]byte, error) {
	var f frame
	if err := s.readFrame(r, &f); err != nil {
		return nil, err
	}
	return f.area, nil
}

// readFrame reads the frame that r was logged with.
func (s *Store) readFrame(r *record, f *frame) error {
	body, err := s.flog.ReadFrame(r.pos, make([]byte, 0, int(r.frameLen)+frameOverhead))
	if err != nil {
		return err
	}
	if err := parseFrame(body, f); err != nil {
		return err
	}
	if f.rec.digest != r.digest { // an index of another log
		return errRecord
	}
	return nil
}

// openPayload opens a payload file. Whoever reads it verifies its size too.
func (a *Artifact) openPayload(it *item) (vfs.File, error) {
	f, err := a.s.fs.OpenFile(a.s.blobPath(&it.digest), os.O_RDONLY|vfs.NoAtime, 0)
	if isNotExist(err) {
		return nil, a.missing(it.digest, "its payload file is missing")
	}
	if err != nil {
		return nil, a.s.wrap("read "+a.key.String(), err)
	}
	return f, nil
}

// readPayload reads and verifies a payload file whole.
func (a *Artifact) readPayload(it *item) ([]byte, error) {
	f, err := a.openPayload(it)
	if err != nil {
		return nil, err
	}
	b, x, err := readHashed(f, int(it.size))
	f.Close() // before damaged: an open file cannot be removed on Windows
	if err != nil {
		return nil, a.damaged(it, "its payload file cannot be read: "+err.Error())
	}
	// A table read by its record alone has no xxhash64, so its SHA-256 is used.
	if it.xxh == 0 && sha256.Sum256(b) != it.digest || it.xxh != 0 && x != it.xxh {
		return nil, a.damaged(it, "its payload file has wrong bytes")
	}
	return b, nil
}

var errLonger = errors.New("longer than what was put")

// hashBeside is from which size in bytes on a payload is hashed beside its reading. A goroutine
// takes some time to begin on a processor that sleeps: 100 us, in which a virtual machine has read
// a MiB.
const hashBeside = 1 << 20

// readHashed reads the size bytes that r must have and returns their xxhash64 too. Each chunk is
// hashed while the processor's cache still has it, or on a goroutine of its own, which has ended on
// return.
func readHashed(r io.Reader, size int) (b []byte, sum uint64, err error) {
	x := xxhash.New()
	write, wait := func(b []byte) { x.Write(b) }, func() {}
	if size >= hashBeside {
		write, wait = beside(write, size/chunk+1)
	}
	b = unzeroed(size + 1)
	for at := 0; at < size && err == nil; at += chunk {
		n := min(chunk, size-at)
		room := n
		if at+n == size {
			room++ // tells a longer file
		}
		var got int
		if got, err = io.ReadAtLeast(r, b[at:at+room], n); got > n {
			err = errLonger
		}
		write(b[at : at+n])
	}
	wait()
	if err != nil {
		return nil, 0, err
	}
	return b[:size:size], x.Sum64(), nil
}

// beside has fn called on a goroutine, which begins at once and ends in wait. Up to n calls may
// wait for it.
func beside(fn func([]byte), n int) (call func([]byte), wait func()) {
	parts, done := make(chan []byte, n), make(chan struct{})
	go func() {
		defer close(done)
		for b := range parts {
			fn(b)
		}
	}()
	return func(b []byte) { parts <- b }, func() { close(parts); <-done }
}

// unzeroed returns n bytes, at least one, of memory that holds anything. A slice that make has
// cleared would be written twice, which was a quarter of the time of reading a payload that the
// system had in memory.
func unzeroed(n int) []byte {
	var b strings.Builder
	b.Grow(n)
	b.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(b.String()), n)
}

// verifyingReader streams a large output and keeps its end back until the checksum is known to be
// right.
type verifyingReader struct {
	a    *Artifact
	it   *item
	f    vfs.File
	sum  xxhash.Digest
	n    int64
	err  error
	done bool
}

// Read returns at most what is left; the error that ends it is the verdict.
func (r *verifyingReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.f.Read(p)
	r.sum.Write(p[:n])
	r.n += int64(n)
	switch {
	case err != nil && err != io.EOF:
		r.err = r.a.damaged(r.it, "its payload file cannot be read: "+err.Error())
	case r.n > r.it.size, err == io.EOF && r.n < r.it.size,
		r.n == r.it.size && r.sum.Sum64() != r.it.xxh:
		r.err = r.a.damaged(r.it, "its payload file has wrong bytes")
		n = 0 // or who asks for no more than the size would never see the error
	default:
		r.err = err
	}
	return n, r.err
}

// Close ends the reader.
func (r *verifyingReader) Close() error {
	if r.done {
		return nil
	}
	r.done = true
	r.err = fs.ErrClosed
	defer r.a.s.end()
	return r.f.Close()
}
