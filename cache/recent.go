package cache

// recent remembers what the index was lately asked for or given, so that a key which is used again
// costs no look-up: a table without pointers, which the garbage collector passes over. Two entries
// share a place, and the older one goes. The table grows while entries would go, up to limit
// places; it begins after the index was asked idle times, as a process that asks little ends before it asks again.
// The lock of what it belongs to guards it.
type recent[V any] struct {
	places [][2]remembered[V] // a power of two
	limit  int
	idle   int
	epoch  uint64 // counts the changes of the index, for who asks it without the lock
}

type remembered[V any] struct {
	key  [32]byte
	used bool
	v    V
}

const (
	recentStart    = 8    // places
	recentRecords  = 2048 // in each shard: 55 MB in all
	recentPayloads = 1 << 15

	recentRecordsIdle  = 64 // in each shard
	recentPayloadsIdle = 4096
)

// place is where key may be. The first byte of a key has chosen its shard.
func (c *recent[V]) place(key *[32]byte) *[2]remembered[V] {
	i := int(key[1]) | int(key[2])<<8
	return &c.places[i&(len(c.places)-1)]
}

// get returns what is remembered of key, until the next change.
func (c *recent[V]) get(key *[32]byte) *V {
	if c.places == nil {
		return nil
	}
	p := c.place(key)
	for i := range p {
		if p[i].used && p[i].key == *key {
			return &p[i].v
		}
	}
	return nil
}

// put remembers v, which is what the index holds.
func (c *recent[V]) put(key *[32]byte, v *V) {
	if old := c.get(key); old != nil {
		*old = *v
		return
	}
	if c.places == nil {
		if c.idle--; c.idle >= 0 {
			return
		}
		c.places = make([][2]remembered[V], recentStart)
	}
	p := c.place(key)
	if p[1].used && len(c.places) < c.limit {
		c.grow()
		p = c.place(key)
	}
	p[1] = p[0]
	p[0] = remembered[V]{key: *key, used: true, v: *v}
}

func (c *recent[V]) grow() {
	old := c.places
	c.places = make([][2]remembered[V], 4*len(old))
	for i := range old {
		for j := range old[i] {
			if e := &old[i][j]; e.used {
				c.put(&e.key, &e.v)
			}
		}
	}
}

// drop forgets key, which the index holds no more.
func (c *recent[V]) drop(key *[32]byte) {
	if c.places == nil {
		return
	}
	p := c.place(key)
	for i := range p {
		if p[i].key == *key {
			p[i] = remembered[V]{}
		}
	}
}

// settle takes over what was written to the index.
func (c *recent[V]) settle(key *[32]byte, v *V) {
	if v == nil {
		c.drop(key)
	} else {
		c.put(key, v)
	}
}

// clear forgets everything and gives the memory back.
func (c *recent[V]) clear() {
	c.places = nil
	c.epoch++
}
