package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/larderbuild/larder/internal/framelog"
)

// unsyncedFiles remembers the payload files whose bytes, and whose names in their folders, may
// still be in memory only. With Always there are none: they are synced before a draft goes on.
type unsyncedFiles struct {
	mu    sync.Mutex
	files map[Digest]struct{}
	// synced is the position in the log up to which payload files are durable: those of every frame
	// before it.
	synced framelog.Pos
}

// maxUnsynced bounds the list with Durability None, where nothing else empties it: 40 bytes each.
const maxUnsynced = 1 << 16

// markUnsynced reports whether the list has become so long that it must be worked off.
func (s *Store) markUnsynced(d *Digest) (full bool) {
	u := &s.unsyncedFiles
	u.mu.Lock()
	defer u.mu.Unlock()
	u.files[*d] = struct{}{}
	return len(u.files) >= maxUnsynced
}

// take empties the list. What it returns is synced by one caller at a time, under syncMu.
func (u *unsyncedFiles) take() map[Digest]struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.files) == 0 {
		return nil
	}
	files := u.files
	u.files = map[Digest]struct{}{}
	return files
}

func (u *unsyncedFiles) putBack(files map[Digest]struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.Copy(u.files, files)
}

// reached notes that payload files are durable up to a position.
func (u *unsyncedFiles) reached(at framelog.Pos) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.synced = at
}

func (u *unsyncedFiles) position() framelog.Pos {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.synced
}

// syncFiles forces to disk, in this order, payload files, their folders and the log: a log record
// that survives a power loss finds its payloads.
func (s *Store) syncFiles() error {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	if err := s.syncPayloads(); err != nil {
		return err
	}
	if err := s.flog.Sync(); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	return nil
}

// syncPayloads forces to disk what payload files and folders this life has made. The caller holds
// syncMu.
func (s *Store) syncPayloads() error {
	end := s.flog.End()
	files := s.unsyncedFiles.take()
	if err := s.syncThese(files); err != nil {
		s.unsyncedFiles.putBack(files)
		return err
	}
	if !s.inherited.Load() {
		s.unsyncedFiles.reached(end)
	}
	return nil
}

// syncThese forces payload files, their folders and the names of these to disk.
func (s *Store) syncThese(files map[Digest]struct{}) error {
	if len(files) == 0 {
		return nil
	}
	dirs := make([]bool, s.blobFolders())
	for d := range files {
		dirs[s.folderOf(&d)] = true
		if err := s.syncPayload(&d); err != nil {
			return err
		}
	}
	for i, dirty := range dirs {
		if !dirty {
			continue
		}
		err := s.fs.SyncDir(s.blobFolder(i))
		if err != nil && !isNotExist(err) { // else somebody removed the folder: its entries are misses
			return err
		}
	}
	return s.syncBlobs()
}

// syncInherited forces to disk the payload files that an earlier life may have left in memory:
// those of the frames behind the position that it had reached. Compaction, which moves frames,
// waits. Commits do not: it stays away from syncMu.
func (s *Store) syncInherited() error {
	if !s.inherited.Load() {
		return nil
	}
	s.compactMu.Lock()
	defer s.compactMu.Unlock()
	if !s.inherited.Load() { // another has done it meanwhile
		return nil
	}
	files := map[Digest]struct{}{}
	for fr, err := range s.flog.Scan(s.unsyncedFiles.position()) {
		if _, lost := errors.AsType[*framelog.Damage](err); lost {
			continue
		}
		if err != nil {
			return err
		}
		var f frame
		if parseFrame(fr.Body, &f) != nil { // the index has nothing of it either
			continue
		}
		for _, fa := range f.factList() {
			files[fa.digest] = struct{}{}
		}
		if len(files) < maxUnsynced {
			continue
		}
		if err := s.syncThese(files); err != nil {
			return err
		}
		clear(files)
	}
	err := s.syncThese(files)
	if err == nil {
		s.inherited.Store(false)
	}
	return err
}

// syncPayload forces one payload file to disk. After a failed fsync the system may have dropped the
// bytes although reads still show them, so the file is taken away: its entries become misses.
func (s *Store) syncPayload(d *Digest) error {
	f, err := s.fs.OpenFile(s.blobPath(d), syncFlag, 0)
	if isNotExist(err) {
		return nil // deleted since
	}
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		return cerr
	}
	reason := "fsync failed: " + err.Error()
	s.report(Corruption{Digest: *d, Path: s.blobName(d), Reason: reason, Time: s.now()})
	if rerr := s.fs.Remove(s.blobPath(d)); rerr != nil && !isNotExist(rerr) {
		err = errors.Join(err, rerr)
	}
	return err
}

// Sync makes every acknowledged change durable: when it has returned nil, a power loss loses none
// of them, whether this process made them or one that was killed. Cancelling ctx returns early only
// before the work has begun.
func (s *Store) Sync(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	return s.wrap("sync", errors.Join(s.catchUp(), s.syncAll()))
}

// syncAll makes durable what this life and those before it have put. The log of the killed ones
// becomes durable too, so their payload files must be first.
func (s *Store) syncAll() error {
	since := s.unsyncedSince.Swap(0)
	err := errors.Join(s.syncInherited(), s.syncFiles())
	if err != nil {
		s.unsyncedSince.CompareAndSwap(0, since)
	}
	s.tell()
	return err
}
