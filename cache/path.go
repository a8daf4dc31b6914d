package cache

import (
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/larderbuild/larder/internal/vfs"
)

// Path returns the absolute path of a read-only file that holds an output. It stays valid until
// Release. The file is the store's own: who changes, renames or removes it spoils the entry, which
// is found out at the next hand-out and is a miss then. An inline output is written out first.
//
// The file's size, mtime, inode and link count are compared with what was recorded; it is hashed
// when they differ, when a hard link to it was delivered, after an unclean start, and when the last
// hash is older than [Options.VerifyAfter].
func (a *Artifact) Path(name string) (string, error) {
	it, err := a.useFile(name)
	if err != nil {
		return "", err
	}
	defer a.s.end()
	if it.inline() {
		if err := a.writeOut(it); err != nil {
			return "", err
		}
	} else if err := a.checkPayload(it); err != nil {
		return "", err
	}
	return a.s.blobPath(&it.digest), nil
}

// writeOut makes a payload file of an inline output, which lives until Release unless something
// else refers to it.
func (a *Artifact) writeOut(it *item) error {
	b, err := a.inlineBytes(it)
	if err != nil {
		return err
	}
	fa, err := a.s.ingestWhole(b)
	if err != nil {
		return a.s.wrap("path", err)
	}
	a.s.doomUnreferenced(&fa.digest) // with the last pin
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.released {
		a.s.unpin([]Digest{fa.digest})
		return a.errReleased()
	}
	a.pinned = append(a.pinned, fa.digest)
	return nil
}

// checkPayload makes sure, as cheaply as may be, that the payload file holds what it should.
func (a *Artifact) checkPayload(it *item) error {
	s := a.s
	p, ok, err := s.payload(&it.digest)
	if err != nil {
		return s.wrap("path", err)
	}
	fi, err := s.fs.Lstat(s.blobPath(&it.digest))
	if isNotExist(err) {
		return a.missing(it.digest, "its payload file is missing")
	}
	if err != nil {
		return s.wrap("path", err)
	}
	if ok && p.trusted(fi, s) {
		return nil
	}
	if !fi.Mode().IsRegular() {
		return a.damaged(it, "its payload file is "+fi.Mode().String())
	}
	f, err := a.openPayload(it)
	if err != nil {
		return err
	}
	return a.rehash(it, f)
}

// rehash reads a payload file whole and closes it. What was right is believed for a while.
func (a *Artifact) rehash(it *item, f vfs.File) error {
	fi, serr := f.Stat() // what is written from now on shows by its time
	x, err := hashFile(f)
	if err == nil && x == it.xxh {
		if serr == nil {
			a.s.believe(&it.digest, fi)
		}
		return f.Close()
	}
	f.Close() // before damaged: an open file cannot be removed on Windows
	if _, stopped := errors.AsType[*stopError](err); stopped {
		return err
	}
	if err != nil {
		return a.damaged(it, "its payload file cannot be read: "+err.Error())
	}
	return a.damaged(it, "its payload file has wrong bytes")
}

// trusted reports whether the record vouches for the file without another hash.
func (p *payload) trusted(fi fs.FileInfo, s *Store) bool {
	if p.linked || !p.holds(fi) || vfs.IDOf(fi).Links > 1 {
		return false
	}
	return p.verified > s.distrustBefore.Load() &&
		(s.opt.VerifyAfter < 0 || s.now().Sub(time.Unix(int64(p.verified), 0)) < s.opt.VerifyAfter)
}

// believe records that the content of the file, which was fi before, has just been hashed and was
// right.
func (s *Store) believe(d *Digest, fi fs.FileInfo) {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	p, ok, err := s.payload(d)
	if err != nil || !ok {
		return
	}
	p.identify(fi)
	p.verified = s.hashedNow()
	p.linked = p.linked && vfs.IDOf(fi).Links > 1
	s.setPayload(d, &p)
}

// hashedNow is the time for a payload that has just been hashed. The caller holds commitMu.
func (s *Store) hashedNow() uint32 {
	now := unixSeconds(s.now())
	s.lastHashed = max(s.lastHashed, now)
	return now
}

// disbelieve has the payload file hashed at its next hand-out, whatever it looks like.
func (s *Store) disbelieve(d *Digest) {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if p, ok, err := s.payload(d); err == nil && ok {
		p.verified = 0
		s.setPayload(d, &p)
	}
}

func hashFile(f io.Reader) (uint64, error) {
	var x xxhash.Digest
	x.Reset()
	buf := *chunks.Get().(*[]byte)
	defer chunks.Put(&buf)
	_, err := io.CopyBuffer(&x, struct{ io.Reader }{f}, buf)
	return x.Sum64(), err
}
