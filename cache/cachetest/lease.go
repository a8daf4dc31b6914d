package cachetest

// Leases are counted once each.
var leaseRules = []rule{
	{"lease/release twice", leaseReleaseTwice},
	{"lease/count", leaseCount},
}

// leaseReleaseTwice keeps a careless holder from ending the lease of another.
func leaseReleaseTwice(t *trial) {
	h := ability[Holder](t, t.store)
	a := file(noise(5000, 0))
	t.put(keyOf(0), a)
	one, other := t.get(keyOf(0)), t.get(keyOf(0))
	for range 3 {
		one.Release()
	}
	if n := h.Held(); n != 1 {
		t.Errorf("%d leases are held after one of two was released three times", n)
	}
	t.remove(keyOf(0))
	t.holds(other, a)
}

// leaseCount demands that only a get that succeeds holds a lease.
func leaseCount(t *trial) {
	h := ability[Holder](t, t.store)
	t.put(keyOf(0), text("x"))
	t.miss(keyOf(1))
	for n := range 5 {
		if held := h.Held(); held != n {
			t.Errorf("%d leases are held after %d gets", held, n)
		}
		t.get(keyOf(0))
	}
	t.roundTrip(keyOf(1), text("y"))
	t.remove(keyOf(1))
	if held := h.Held(); held != 5 {
		t.Errorf("%d leases are held; puts and deletes must hold none", held)
	}
}
