package vfs

import (
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
)

// Fate is what a crash does to one kind of thing that was not durable.
type Fate uint8

const (
	Lost  Fate = iota // gone: what the last sync left is there again
	Kept              // there, as if it had been synced
	Mixed             // lost, kept or torn, each piece at random
)

// String returns the fate in one word.
func (f Fate) String() string { return [...]string{"lost", "kept", "mixed"}[f] }

// Loss is what a power loss does to everything that was not durable. The zero value loses it all.
type Loss struct {
	// Bytes is the fate of writes and truncations since a file's last Sync, and of its mode
	// and time. Mixed decides for each block of 512 bytes: it may hold what was durable, any
	// later state of it, a write torn in its midst, zeros, or, where nothing durable was,
	// old content of other files. The size is one that the file has had, or one between.
	Bytes Fate
	// Entries is the fate of creations, renames and removals since a folder's last SyncDir.
	// Mixed decides for each call alone, whatever the order of the calls.
	Entries Fate
	// Rand decides what Mixed leaves open; it is needed only there.
	Rand *rand.Rand
}

// Crash returns the tree that a power loss at this moment may leave: m as the disk had it,
// with the given loss. All of it is durable. A file keeps its inode number, may have
// several names or none, and m itself goes on unchanged.
func (m *Mem) Crash(loss Loss) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := cloner{Loss: loss, seen: map[*node]*node{}}
	if c.Rand != nil {
		c.bias = []float64{0.1, 0.5, 0.9}[c.Rand.IntN(3)]
	}
	return c.mem(m, c.afterLoss)
}

// Kill returns the tree that the death of the process at this moment leaves: each finished
// call is there, but no more of it is durable than before, and open files are closed.
func (m *Mem) Kill() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := cloner{seen: map[*node]*node{}}
	return c.mem(m, c.copied)
}

// Crashes yields the trees that a test should open again: after a kill, after a power loss
// with each mix of nothing and everything lost, and after n random ones. The name tells
// them apart and holds the seed of a random one: [Torn] of it repeats that tree.
func (m *Mem) Crashes(r *rand.Rand, n int) iter.Seq2[string, *Mem] {
	return func(yield func(string, *Mem) bool) {
		if !yield("kill", m.Kill()) {
			return
		}
		for _, l := range []Loss{{}, {Bytes: Kept}, {Entries: Kept}, {Bytes: Kept, Entries: Kept}} {
			name := fmt.Sprintf("power loss, bytes %v, entries %v", l.Bytes, l.Entries)
			if !yield(name, m.Crash(l)) {
				return
			}
		}
		for range n {
			seed := r.Uint64()
			if !yield(fmt.Sprintf("power loss, seed %d", seed), m.Crash(Torn(seed))) {
				return
			}
		}
	}
}

// Torn is the loss in which bytes and entries are mixed as the seed says.
func Torn(seed uint64) Loss {
	return Loss{Bytes: Mixed, Entries: Mixed, Rand: rand.New(rand.NewPCG(seed, 0))}
}

// cloner makes one clone of a tree. It walks in the order of names, so that one seed gives
// one result.
type cloner struct {
	Loss
	bias float64 // how likely Mixed keeps a thing
	seen map[*node]*node
}

func (c *cloner) mem(m *Mem, clone func(*node) *node) *Mem {
	to := &Mem{inode: m.inode, size: m.size, root: clone(m.root)}
	for _, n := range c.seen {
		if n.links > 0 {
			to.used += int64(len(n.data))
		}
	}
	return to
}

// keep decides for one thing.
func (c *cloner) keep(f Fate) bool {
	return f == Kept || f == Mixed && c.Rand.Float64() < c.bias
}

// afterLoss clones a node as a power loss leaves it.
func (c *cloner) afterLoss(n *node) *node {
	to := &node{inode: n.inode, meta: n.kept}
	c.seen[n] = to
	if c.keep(c.Bytes) {
		to.meta = n.meta
	}
	to.kept = to.meta
	if !n.isDir() {
		to.contents = durable(c.bytes(&n.contents))
		return to
	}
	to.names = map[string]*node{}
	now := c.entries(n)
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if child := c.child(now[name]); child != nil {
			child.links++
			to.names[name] = child
		}
	}
	to.keptNames = maps.Clone(to.names)
	return to
}

// child is nil for a folder that already has a place: a folder has one name even where a
// lost half of a rename would give it two.
func (c *cloner) child(n *node) *node {
	to := c.seen[n]
	switch {
	case to == nil:
		return c.afterLoss(n)
	case n.isDir():
		return nil
	}
	return to
}

func (c *cloner) entries(n *node) map[string]*node {
	now := maps.Clone(n.keptNames)
	for _, ch := range n.changes {
		if !c.keep(c.Entries) {
			continue
		}
		for _, e := range ch {
			put(now, e)
		}
	}
	return now
}

// copied clones a node with all that is and is not durable about it.
func (c *cloner) copied(n *node) *node {
	if n == nil || c.seen[n] != nil {
		return c.seen[n]
	}
	to := &node{inode: n.inode, links: n.links, meta: n.meta, kept: n.kept}
	c.seen[n] = to
	to.contents = n.contents.share()
	if n.isDir() {
		to.names, to.keptNames = c.copiedNames(n.names), c.copiedNames(n.keptNames)
	}
	for _, ch := range n.changes {
		var cp change
		for _, e := range ch {
			cp = append(cp, entry{e.name, c.copied(e.node)})
		}
		to.changes = append(to.changes, cp)
	}
	return to
}

func (c *cloner) copiedNames(names map[string]*node) map[string]*node {
	to := make(map[string]*node, len(names))
	for name, n := range names {
		to[name] = c.copied(n)
	}
	return to
}
