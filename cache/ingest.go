package cache

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/larderbuild/larder/internal/vfs"
)

// chunk is the unit in which content is read, hashed and written. Larger content is hashed beside
// the writing.
const chunk = 256 << 10

// hasher computes both names of a content: the digest that identifies it and the checksum that
// reads are verified with.
type hasher struct {
	sha hash.Hash
	xxh xxhash.Digest
	n   int64
}

var hashers = sync.Pool{New: func() any { return &hasher{sha: sha256.New()} }}

func newHasher() *hasher {
	h := hashers.Get().(*hasher)
	h.sha.Reset()
	h.xxh.Reset()
	h.n = 0
	return h
}

func (h *hasher) Write(p []byte) (int, error) {
	h.sha.Write(p)
	h.xxh.Write(p)
	h.n += int64(len(p))
	return len(p), nil
}

// fact returns what was hashed and gives the hasher back.
func (h *hasher) fact() (f fact) {
	h.sha.Sum(f.digest[:0])
	f.xxh, f.size = h.xxh.Sum64(), h.n
	hashers.Put(h)
	return f
}

var chunks = sync.Pool{New: func() any { b := make([]byte, chunk); return &b }}

// head is how much of a content is read before it gets memory for a chunk: a draft that waits for
// the first bytes has no more.
const head = 8 << 10

var heads = sync.Pool{New: func() any { b := make([]byte, head); return &b }}

// maxTmpFolders is how many folders temporary files are in at most, and two for each processor
// else: a file system lets only one caller at a time make or rename a file of a folder. Putting 64
// KiB durably from 64 goroutines into one was slower by a fifth, into four not slower than into 16
// (ext4, two processors).
const maxTmpFolders = 16

// tmpPath names a new temporary file.
func (s *Store) tmpPath() (string, error) {
	n := s.tmpSeq.Add(1)
	i := n % uint64(min(maxTmpFolders, 2*runtime.GOMAXPROCS(0)))
	dir := filepath.Join(s.dir, "tmp", strconv.FormatUint(i, 16))
	if !s.tmpMade[i].Load() {
		if _, err := vfs.MakeDir(s.fs, dir); err != nil {
			return "", err
		}
		s.tmpMade[i].Store(true)
	}
	// With letters some would be aux or con: no names on Windows.
	return filepath.Join(dir, strconv.FormatUint(n, 10)), nil
}

// ingest is ingestWhole for content that begins with first, a head, and goes on in r.
func (s *Store) ingest(first []byte, r io.Reader) (fa fact, err error) {
	buf := chunks.Get().(*[]byte)
	n, err := readChunk(r, (*buf)[copy(*buf, first):])
	switch err {
	case nil:
		fa, err = s.ingestLarge(*buf, r)
	case io.EOF:
		fa, err = s.ingestWhole((*buf)[:len(first)+n])
	}
	if err == nil { // see Draft.content
		chunks.Put(buf)
	}
	return fa, err
}

// ingestWhole puts content into a payload file and returns what it is, pinned. What is stored
// already costs no file.
func (s *Store) ingestWhole(b []byte) (fact, error) {
	h := newHasher()
	h.Write(b)
	fa := h.fact()
	if s.pinPresent(&fa) {
		return fa, nil
	}
	tmp, f, err := s.createTmp(len(b))
	if err != nil {
		return fact{}, err
	}
	if _, err := f.Write(b); err != nil {
		return fact{}, s.abandon(tmp, errors.Join(err, f.Close()))
	}
	return s.placeTmp(tmp, f, fa)
}

// ingestLarge is ingestWhole for content that begins with buf, a chunk, and goes on in r. It uses
// buf for the other chunks.
func (s *Store) ingestLarge(buf []byte, r io.Reader) (fact, error) {
	tmp, f, err := s.createTmp(len(buf))
	if err != nil {
		return fact{}, err
	}
	h := newHasher()
	err = errAddEnded
	defer func() {
		if err == errAddEnded { // fill panics
			f.Close()
			s.abandon(tmp, nil)
		}
	}()
	other := chunks.Get().(*[]byte)
	err = s.fill(f, h, buf, *other, r)
	fa := h.fact()
	if err != nil {
		return fact{}, s.abandon(tmp, errors.Join(err, f.Close()))
	}
	chunks.Put(other)
	return s.placeTmp(tmp, f, fa)
}

// createTmp makes a temporary file if there is room for n bytes.
func (s *Store) createTmp(n int) (string, vfs.File, error) {
	if s.space.low(int64(n)) {
		return "", nil, s.space.refusal()
	}
	tmp, err := s.tmpPath()
	if err != nil {
		return "", nil, err
	}
	f, err := s.fs.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_RDWR, payloadMode)
	return tmp, f, err
}

// abandon removes a temporary file and returns err. What cannot be removed now goes at the next
// open.
func (s *Store) abandon(tmp string, err error) error {
	s.fs.Remove(tmp)
	return err
}

// fill copies buf, which is full, and r into f and h. It reads and writes one chunk while a second
// goroutine, which has ended when it returns, hashes the one before; other is for that.
func (s *Store) fill(f vfs.File, h *hasher, buf, other []byte, r io.Reader) error {
	hashed := make(chan []byte, 2)
	hashed <- other
	pass, wait := beside(func(b []byte) {
		h.Write(b)
		hashed <- b[:chunk]
	}, 1)
	defer wait()
	for n, err := len(buf), error(nil); ; {
		pass(buf[:n])
		if _, werr := f.Write(buf[:n]); werr != nil {
			return werr
		}
		if err != nil {
			return ignoreEOF(err)
		}
		buf = <-hashed
		n, err = readChunk(r, buf)
		if n > 0 && s.space.low(int64(n)) {
			return s.space.refusal()
		}
	}
}

// readChunk fills buf as far as r reaches. The error of a reader, io.EOF too, comes with the last
// bytes.
func readChunk(r io.Reader, buf []byte) (n int, err error) {
	for empty := 0; n < len(buf); {
		m, err := r.Read(buf[n:])
		if m < 0 || m > len(buf)-n {
			return n, errors.New("reader returned an impossible count")
		}
		if n += m; err != nil {
			return n, err
		}
		if m > 0 {
			empty = 0
		} else if empty++; empty > 100 {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// placeTmp gives a finished temporary file its name, unless the content is there already. It closes
// f and returns the fact with the identity of the file that holds the content; the payload is
// pinned.
func (s *Store) placeTmp(tmp string, f vfs.File, fa fact) (fact, error) {
	p := s.pin(&fa.digest)
	p.place.Lock()
	defer p.place.Unlock()
	err := s.placePinned(p, tmp, f, &fa)
	if err != nil {
		s.unpin([]Digest{fa.digest})
		return fact{}, s.abandon(tmp, err)
	}
	return fa, nil
}

// placePinned is placeTmp for a caller that has pinned the payload and holds p.place. It closes f,
// and leaves tmp where it was when it fails.
func (s *Store) placePinned(p *pin, tmp string, f vfs.File, fa *fact) error {
	fi, err := f.Stat()
	if err == nil && fi.Size() != fa.size {
		err = fmt.Errorf("%s is %d bytes, not the %d that were written", tmp, fi.Size(), fa.size)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if !s.unknown(p, &fa.digest) || s.renameIn(s.fs.RenameNew, tmp, s.blobPath(&fa.digest)) != nil {
		return s.placeOver(p, tmp, f, fi, fa)
	}
	if err := f.Close(); err != nil {
		return err
	}
	fa.identify(fi)
	return s.placed(p, fa)
}

// placeOver is placePinned where a file of that content is known, or has the name already, or the
// system cannot tell in one step. It closes f, which fi is of.
func (s *Store) placeOver(p *pin, tmp string, f vfs.File, fi fs.FileInfo, fa *fact) (err error) {
	trusted, standing := s.present(p, fa)
	if trusted {
		f.Close()
		s.fs.Remove(tmp)
		return nil
	}
	if standing { // what may be durable is replaced by what is
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	fa.identify(fi)
	final := s.blobPath(&fa.digest)
	if err := s.renameIn(s.fs.Rename, tmp, final); err != nil {
		if err = s.adopt(err, tmp, final, fa); err != nil {
			return err
		}
	}
	return s.placed(p, fa)
}

// placed is told of a file that has its name.
func (s *Store) placed(p *pin, fa *fact) error {
	if err := s.placedDurably(&fa.digest); err != nil {
		return err
	}
	placed := *fa
	s.pay.mu.Lock()
	defer s.pay.mu.Unlock()
	p.placed = &placed
	return nil
}

// placedDurably has a payload file become durable when the durability demands it.
func (s *Store) placedDurably(d *Digest) error {
	if s.opt.Durability == Always {
		return s.syncPlaced(d)
	}
	if !s.markUnsynced(d) {
		return nil
	}
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	return s.syncPayloads()
}

// syncPlaced forces a payload file and its name to disk. That comes after the rename: a file system
// with a journal then writes the bytes and the name with one commit of it, not two. Here and
// not once for a group: fsyncs of many putters at a time share what the file system does for them.
func (s *Store) syncPlaced(d *Digest) error {
	if err := s.syncPayload(d); err != nil {
		return err
	}
	if err := s.fs.SyncDir(filepath.Dir(s.blobPath(d))); err != nil {
		return err
	}
	return s.syncBlobs()
}

// adopt takes the file that stands where tmp could not be renamed to, if it holds the same: on
// Windows a file that somebody reads cannot be replaced.
func (s *Store) adopt(cause error, tmp, final string, fa *fact) error {
	f, err := s.fs.OpenFile(final, os.O_RDONLY, 0)
	if err != nil {
		return cause
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return cause
	}
	if x, err := hashFile(f); err != nil || x != fa.xxh {
		return cause
	}
	fa.identify(fi)
	s.fs.Remove(tmp)
	return nil
}

// unknown reports whether neither a draft nor the index knows of a file of a content, which takes a
// tenth of the time that the system takes to tell. One may stand there all the same, and something
// may even refer to it: a rebuild has not come so far, a deleted entry is still held, or a log that
// is not durable hides one that a power loss would bring back.
func (s *Store) unknown(p *pin, d *Digest) bool {
	s.pay.mu.Lock()
	placed := p.placed
	s.pay.mu.Unlock()
	if placed != nil {
		return false
	}
	_, known, _ := s.payload(d)
	return !known
}

// present looks for the payload file of a content. It reports whether the file can be trusted
// without another hash, and then gives fa its identity, and whether a file stands there at all: one
// that is not trusted is to be replaced. The caller holds p.place.
func (s *Store) present(p *pin, fa *fact) (trusted, standing bool) {
	fi, err := s.fs.Lstat(s.blobPath(&fa.digest))
	if err != nil {
		return false, false
	}
	s.pay.mu.Lock()
	placed := p.placed
	s.pay.mu.Unlock()
	if placed != nil && placed.holds(fi) {
		*fa = *placed
		return true, true
	}
	known, ok, err := s.payload(&fa.digest)
	if err != nil || !ok || !known.trusted(fi, s) {
		return false, true
	}
	if s.inherited.Load() && s.placedDurably(&fa.digest) != nil { // who has put it may have been killed
		return false, true
	}
	*fa = known.fact
	return true, true
}

// pinPresent pins fa's payload if present.
func (s *Store) pinPresent(fa *fact) bool {
	p := s.pin(&fa.digest)
	p.place.Lock()
	ok := false
	if !s.unknown(p, &fa.digest) {
		ok, _ = s.present(p, fa)
	}
	p.place.Unlock()
	if !ok {
		s.unpin([]Digest{fa.digest})
	}
	return ok
}
