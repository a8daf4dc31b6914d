package cachetest

// What was acknowledged is there after the store was closed and opened again.
var reopenRules = []rule{
	{"reopen/keeps", reopenKeeps},
	{"reopen/deleted stays deleted", reopenDeleted},
	{"reopen/replaced stays replaced", reopenReplaced},
}

func (t *trial) reopen() {
	t.Helper()
	s, err := ability[Reopener](t, t.store).Reopen(t.ctx)
	if err != nil {
		t.Fatalf("reopen: %v", err)
	}
	t.store = s
}

// reopenKeeps opens twice: the second finds what the first one wrote down.
func reopenKeeps(t *trial) {
	t.put(keyOf(0), everything())
	t.put(keyOf(1), Artifact{})
	for i, size := range []int{0, 1, 1024, 1025, 70_000} {
		t.put(keyOf(i+2), file(noise(size, i)))
	}
	for range 2 {
		t.reopen()
		t.want(keyOf(0), everything())
		t.want(keyOf(1), Artifact{})
		for i, size := range []int{0, 1, 1024, 1025, 70_000} {
			t.want(keyOf(i+2), file(noise(size, i)))
		}
	}
	t.roundTrip(keyOf(100), text("new"))
	t.miss(keyOf(101))
}

// reopenDeleted deletes one of two keys with the same content.
func reopenDeleted(t *trial) {
	for i, size := range []int{10, 5000} {
		t.put(keyOf(i), file(noise(size, i)))
		t.put(keyOf(i+10), file(noise(size, i)))
		t.remove(keyOf(i))
	}
	t.reopen()
	for i, size := range []int{10, 5000} {
		t.miss(keyOf(i))
		t.want(keyOf(i+10), file(noise(size, i)))
	}
	t.listed(keyOf(10), keyOf(11))
}

func reopenReplaced(t *trial) {
	for i, size := range []int{10, 5000} {
		t.put(keyOf(i), file(noise(size, 1)))
		t.put(keyOf(i), file(noise(size, 2)))
	}
	t.reopen()
	for i, size := range []int{10, 5000} {
		t.want(keyOf(i), file(noise(size, 2)))
	}
}
