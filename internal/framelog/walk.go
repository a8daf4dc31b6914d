package framelog

// walker finds the frames of one segment, one after the other. It believes a header only as
// far as its checksum goes, and the bytes between two frames not at all.
type walker struct {
	win     window
	maxBody int
	off     int64 // where to look next
	search  bool  // off was not reached by lengths that hold
	bad     *Damage
}

// walked is a frame that holds. Its slices are valid until the next call of next.
type walked struct {
	off  int64
	kind uint32
	body []byte
	raw  []byte // with header and padding
	lost *Damage
}

func newWalker(src source, from int64, maxBody int) *walker {
	return &walker{
		win: window{src: src, mem: new([]byte)}, off: (from + align - 1) &^ (align - 1), maxBody: maxBody,
	}
}

// next returns the next frame and, in it, what was lost between it and the one before. After
// the last frame it reports false, and w.bad is what was lost at the end.
func (w *walker) next() (walked, bool) {
	for w.off+frameHeader <= w.win.src.end {
		h, f, reason, err := w.examine()
		switch {
		case reason == 0:
			return w.accept(f), true
		case reason == BadBody && !w.search:
			w.lose(reason, err)
			w.off += h.size()
		default:
			w.lose(reason, err)
			w.search = true
			w.off, err = w.win.seek(w.off + align)
			w.blame(err)
		}
	}
	if w.off < w.win.src.end {
		w.lose(BadFrame, nil)
	}
	if w.bad != nil {
		w.bad.To = w.win.src.end
	}
	return walked{}, false
}

// examine looks at the frame at w.off. The reason is zero if it holds, and BadBody if its
// header does and the body could be read.
func (w *walker) examine() (h frameHead, f walked, r Reason, err error) {
	b, err := w.win.at(w.off, frameHeader)
	h, ok := w.win.src.seed.parseFrameHeader(b, uint32(w.off), w.maxBody)
	if !ok {
		return h, f, BadFrame, err
	}
	b, err = w.win.at(w.off, int(h.size()))
	if int64(len(b)) < h.size() {
		return h, f, BadFrame, err
	}
	f = walked{off: w.off, kind: h.kind, body: b[frameHeader : frameHeader+h.length], raw: b}
	if !h.holds(f.body) {
		return h, f, BadBody, nil
	}
	return h, f, 0, nil
}

func (w *walker) accept(f walked) walked {
	if w.bad != nil {
		w.bad.To = f.off
	}
	f.lost, w.bad, w.search = w.bad, nil, false
	w.off = f.off + int64(len(f.raw))
	return f
}

// lose notes that the bytes at w.off belong to no frame.
func (w *walker) lose(r Reason, err error) {
	if w.bad == nil {
		w.bad = &Damage{Segment: w.win.src.id, From: w.off, Reason: r}
	}
	w.blame(err)
}

// blame notes that the file system has a part in the loss.
func (w *walker) blame(err error) {
	if err != nil && w.bad != nil && w.bad.Err == nil {
		w.bad.Reason, w.bad.Err = Unreadable, err
	}
}
