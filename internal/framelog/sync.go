package framelog

import (
	"errors"

	"github.com/larderbuild/larder/internal/vfs"
)

// pending is what one Sync has to do for one segment.
type pending struct {
	s     *segment
	end   int64
	parts []*part
}

// Sync makes durable everything whose Append returned before Sync was called, what an earlier
// process left unsynced, and the names of the files. It may run during an Append. Nothing of an
// Append that failed before comes back after it.
//
// When the system fails to sync a file, the file's unsynced bytes may be gone although they
// can still be read, and a second try would succeed without writing them. So they are read
// back, verified and written to a new file, under the same positions. If that works Sync
// returns nil. If not, the log is lost for writing: Sync, Append and the rest return an error
// that is [ErrFailed] and the cause, until the log is opened again. Reads go on.
func (l *Log) Sync() error {
	l.smu.Lock()
	defer l.smu.Unlock()
	if err := l.writable(); err != nil {
		return wrap("sync", l.dir, err)
	}
	if err := l.coverFailed(); err != nil {
		return wrap("sync", l.dir, err)
	}
	return wrap("sync", l.dir, l.syncUnsynced())
}

// syncUnsynced may run beside an Append and a Remove.
func (l *Log) syncUnsynced() error {
	for _, w := range l.unsynced() {
		if err := l.syncSegment(w); err != nil {
			return err
		}
	}
	if !l.takeDirty() {
		return nil
	}
	return l.syncNames()
}

// syncNames makes the names of the files durable.
func (l *Log) syncNames() error {
	err := l.fs.SyncDir(l.dir)
	switch {
	case err == nil:
		return nil
	case vfs.IsUnopened(err):
		l.mu.Lock()
		defer l.mu.Unlock()
		l.dirDirty = true
		return err // nothing was asked of the system that it may have dropped names for
	}
	return l.fail(err)
}

// coverFailed keeps what the last Append left behind when it failed from coming back.
func (l *Log) coverFailed() error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	return l.coverCut()
}

// unsynced lists the segments that are not durable.
func (l *Log) unsynced() (work []pending) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, s := range l.segs {
		if s.synced < s.end {
			work = append(work, pending{s: s, end: s.end, parts: s.from(s.synced)})
		}
	}
	return work
}

// takeDirty reports whether the folder is not durable, and takes it as done: see syncNames.
func (l *Log) takeDirty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	dirty := l.dirDirty
	l.dirDirty = false
	return dirty
}

func (l *Log) syncSegment(w pending) error {
	for _, p := range w.parts {
		err := l.handles.sync(p)
		if vfs.IsUnopened(err) {
			return err // nothing was asked of the system that it may have dropped bytes for
		}
		if err != nil {
			l.wmu.Lock()
			defer l.wmu.Unlock()
			return l.evacuate(w.s, err)
		}
	}
	l.mu.Lock()
	w.s.synced = max(w.s.synced, w.end)
	l.mu.Unlock()
	l.unpinDurable(w.s)
	return nil
}

// evacuate moves what is not durable of s away from a file that could not be synced. If it
// cannot, the log has failed. The caller holds wmu.
func (l *Log) evacuate(s *segment, cause error) error {
	if err := l.relocate(s, l.durableTo(s)); err != nil {
		return l.fail(errors.Join(cause, err))
	}
	l.unpinDurable(s)
	return nil
}

func (l *Log) durableTo(s *segment) int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return s.synced
}
