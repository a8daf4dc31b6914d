package cache

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/larderbuild/larder/internal/framelog"
)

// orphanAge is how old a payload file must be before it can be an orphan: a put may be about to
// refer to it.
const orphanAge = 24 * time.Hour

// sweepPortion is how many entries of a folder a sweep holds at a time: a store of ten million has
// 600,000 in each.
const sweepPortion = 1024

// dropOrphans is a sweep in one go.
func (s *Store) dropOrphans(ctx context.Context) (int64, error) {
	var w sweep
	for w.folder < s.blobFolders() {
		if err := w.step(ctx, s); err != nil {
			return 0, err
		}
	}
	return w.end(ctx, s)
}

// sweep removes payload files that nothing refers to: what a crash left between the unlink and its
// log record, or between a payload and its put. It goes folder by folder.
type sweep struct {
	folder   int // the next
	suspects map[Digest]struct{}
}

// step collects the old files of one folder that have no record.
func (w *sweep) step(ctx context.Context, s *Store) error {
	if w.suspects == nil {
		w.suspects = map[Digest]struct{}{}
	}
	f, err := s.fs.OpenFile(s.blobFolder(w.folder), os.O_RDONLY, 0)
	if isNotExist(err) {
		w.folder++
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		entries, err := f.ReadDir(sweepPortion)
		for _, e := range entries {
			w.look(s, e)
		}
		if cerr := context.Cause(ctx); cerr != nil {
			return cerr
		}
		if err == io.EOF {
			w.folder++
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// look takes an old file that has no record for a suspect.
func (w *sweep) look(s *Store, e fs.DirEntry) {
	d, err := ParseDigest(e.Name())
	if err != nil || strings.ToLower(e.Name()) != e.Name() {
		return
	}
	if _, known, err := s.payload(&d); known || err != nil {
		return
	}
	fi, err := e.Info()
	if err == nil && s.now().Sub(fi.ModTime()) > orphanAge {
		w.suspects[d] = struct{}{}
	}
}

// end drops the suspects that are orphans. An index may have lost entries without telling, so a
// file goes only when no frame of a log that was read whole and sound names it.
func (w *sweep) end(ctx context.Context, s *Store) (int64, error) {
	if len(w.suspects) == 0 {
		return 0, nil
	}
	sound, err := s.acquit(ctx, w.suspects)
	if err != nil || !sound {
		return 0, err
	}
	var n int64
	for d := range w.suspects {
		if s.doomUnreferenced(&d) {
			n++
		}
	}
	s.stats.orphans.Add(uint64(n))
	return n, nil
}

// acquit strikes every suspect that a frame of the log names, and reports whether the whole log
// could be read.
func (s *Store) acquit(ctx context.Context, suspects map[Digest]struct{}) (sound bool, err error) {
	for fr, err := range s.flog.Scan(framelog.Pos{}) {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if err != nil {
			if d, ok := errors.AsType[*framelog.Damage](err); ok && d.Reason == framelog.Torn {
				continue
			}
			s.log().Warn("orphans stay: the log is not complete", "error", err)
			return false, nil
		}
		var f frame
		if err := parseFrame(fr.Body, &f); err != nil {
			return false, nil
		}
		for i := range f.factCount() {
			delete(suspects, f.fact(i).digest)
		}
	}
	return true, nil
}
