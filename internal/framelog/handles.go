package framelog

import (
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/larderbuild/larder/internal/vfs"
)

// handles keeps a bounded number of files open. Files are opened below the lock: it happens
// seldom, and two readers of one file must not open it twice.
type handles struct {
	fs     vfs.FS
	dir    string
	max    int
	mapped int64 // bytes of each file that are read from memory

	mu      sync.Mutex
	idle    sync.Cond // a part lost its last user
	waiting int
	open    []*part
	tick    uint64
}

func newHandles(fs vfs.FS, dir string, o *Options) *handles {
	h := &handles{fs: fs, dir: dir, max: o.MaxOpen, mapped: o.SegmentBytes}
	h.idle.L = &h.mu
	return h
}

func (h *handles) path(name string) string { return filepath.Join(h.dir, name) }

// readAt is p's file's ReadAt. It returns ErrNotFound when p is gone.
func (h *handles) readAt(p *part, b []byte, off int64) (int, error) {
	f, err := h.acquire(p)
	if err != nil {
		return 0, err
	}
	defer h.release(p)
	return f.ReadAt(b, off)
}

// acquire returns p's file, which stays open until release.
func (h *handles) acquire(p *part) (vfs.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.gone {
		return nil, ErrNotFound
	}
	if p.f == nil {
		f, err := h.fs.OpenFile(h.path(p.name), os.O_RDONLY, 0)
		if err != nil {
			return nil, err
		}
		h.shrink(h.max - 1)
		p.f = vfs.Mapped(f, h.mapped)
		h.open = append(h.open, p)
	}
	h.tick++
	p.used = h.tick
	p.refs++
	return p.f, nil
}

func (h *handles) release(p *part) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.refs--
	if p.refs == 0 && h.waiting > 0 {
		h.idle.Broadcast()
	}
}

// shrink closes the files that were not used for longest until at most n are open, if so many
// can be. The caller holds mu.
func (h *handles) shrink(n int) {
	for len(h.open) > n {
		p := h.idlest()
		if p == nil {
			return
		}
		h.forget(p) // nothing unsynced in it: closing loses nothing
	}
}

func (h *handles) idlest() *part {
	var oldest *part
	for _, p := range h.open {
		if p.refs == 0 && !p.pinned && (oldest == nil || p.used < oldest.used) {
			oldest = p
		}
	}
	return oldest
}

// forget closes p's file. The caller holds mu.
func (h *handles) forget(p *part) error {
	h.open = slices.DeleteFunc(h.open, func(q *part) bool { return q == p })
	f := p.f
	p.f, p.pinned = nil, false
	if f == nil {
		return nil
	}
	return f.Close()
}

// pin makes f, open for writing, the file of p until unpin or drop.
func (h *handles) pin(p *part, f vfs.File) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wait(p)
	h.forget(p) // read only: closing loses nothing
	p.f, p.pinned = vfs.Mapped(f, h.mapped), true
	h.open = append(h.open, p)
}

// wait returns when nobody uses p. The caller holds mu.
func (h *handles) wait(p *part) {
	h.waiting++
	for p.refs > 0 {
		h.idle.Wait()
	}
	h.waiting--
}

// unpin lets p's file be closed when room is needed.
func (h *handles) unpin(p *part) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.pinned = false
	h.shrink(h.max)
}

// drop waits for running uses of p, closes its file and allows no other use.
func (h *handles) drop(p *part) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.gone = true
	h.wait(p)
	return h.forget(p)
}

// sync makes the bytes of p's file durable. A part that is gone needs it no more.
func (h *handles) sync(p *part) error {
	f, ok := h.hold(p)
	if !ok {
		return nil
	}
	defer h.release(p)
	if f != nil {
		return f.Sync()
	}
	f, err := h.fs.OpenFile(h.path(p.name), os.O_RDWR, 0) // some systems sync no other
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// rest gives back the memory that reads have made resident.
func (h *handles) rest() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.open {
		vfs.Forget(p.f)
	}
}

// hold keeps p from being dropped until release. The file is nil if p is not open for
// writing.
func (h *handles) hold(p *part) (f vfs.File, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.gone {
		return nil, false
	}
	if p.pinned {
		f = p.f
	}
	p.refs++
	return f, true
}
