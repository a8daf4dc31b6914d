package gocacheprog

// slot is the right to work on a request beside the reader, with memory for a body.
type slot struct{ buf []byte }

// memory returns size bytes, valid while the slot is held.
func (s *slot) memory(size int64) []byte {
	if size > int64(len(s.buf)) {
		s.buf = make([]byte, size)
	}
	return s.buf[:max(size, 0)]
}

// takeSlot waits for a slot. If it must, what was answered so far is sent first.
func (s *session) takeSlot() *slot {
	select {
	case slot := <-s.slots:
		return slot
	default:
	}
	s.out.flush()
	return <-s.slots
}

func (s *session) giveSlot(slot *slot) { s.slots <- slot }
