package buildabi

// Together makes calls of which the sessions that wait hear only when all are made.
func (b *Board) Together(calls func()) {
	b.mu.Lock()
	armed := b.armed
	b.armed = false
	b.mu.Unlock()
	calls()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed = armed
	b.changed()
}
