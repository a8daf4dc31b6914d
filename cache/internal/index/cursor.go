package index

import (
	"bytes"
	"fmt"
)

// cursor goes through the records of a table.
type cursor struct {
	t    *table
	buf  []byte // leaves that were read together
	next uint32 // leaf to be read after them
	at   int    // leaf in buf
	i    int    // its record of the next step
	op   Op     // where the cursor stands, with slices of buf; without a key it is at the end
}

// readAhead is the most leaves that a cursor reads at a time.
const readAhead = 16

// newCursor stands at the first record that is not below start.
func newCursor(t *table, start []byte) (*cursor, error) {
	c := &cursor{t: t, next: t.leaves}
	if t.leaves == 0 {
		return c, nil
	}
	var err error
	if len(start) == 0 {
		c.next = 0
	} else if c.next, err = t.leafOf(start); err != nil {
		return nil, err
	}
	for err = c.step(); err == nil && c.op.Key != nil && bytes.Compare(c.op.Key, start) < 0; {
		err = c.step()
	}
	return c, err
}

// step moves to the next record.
func (c *cursor) step() error {
	for c.at*pageSize >= len(c.buf) || c.i >= c.leaf(c.at).count() {
		c.i = 0
		if c.at++; c.at*pageSize < len(c.buf) {
			continue
		}
		if c.next >= c.t.leaves {
			c.op = Op{}
			return nil
		}
		if err := c.read(); err != nil {
			return err
		}
	}
	op, ok := c.leaf(c.at).record(c.i)
	if !ok {
		return damagedf("malformed leaf before page %d", c.next)
	}
	c.op = op
	c.i++
	return nil
}

func (c *cursor) leaf(i int) *page { return (*page)(c.buf[i*pageSize:]) }

// read reads and verifies the next leaves: one at first, then twice as many each time.
func (c *cursor) read() error {
	n := min(max(1, 2*len(c.buf)/pageSize), readAhead, int(c.t.leaves-c.next))
	if n*pageSize > cap(c.buf) {
		c.buf = make([]byte, n*pageSize)
	}
	c.buf = c.buf[:n*pageSize]
	c.at = 0
	if err := c.t.readPages(c.next, c.buf); err != nil {
		return err
	}
	for i := range n {
		if err := c.leaf(i).check(c.t.id, c.next+uint32(i), leafPage); err != nil {
			return err
		}
	}
	c.next += uint32(n)
	return nil
}

// join goes through tables together: of each key it gives what the newest says.
type join struct {
	cursors []*cursor // oldest table first
	newest  *cursor   // of those that stand at the key
	op      Op        // what newest says; without a key at the end
}

func newJoin(tables []*table, start []byte) (*join, error) {
	j := &join{}
	for _, t := range tables {
		c, err := newCursor(t, start)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", t.span, err)
		}
		j.cursors = append(j.cursors, c)
	}
	j.settle()
	return j, nil
}

func (j *join) settle() {
	j.op = Op{}
	for _, c := range j.cursors {
		if c.op.Key != nil && (j.op.Key == nil || bytes.Compare(c.op.Key, j.op.Key) <= 0) {
			j.newest, j.op = c, c.op
		}
	}
}

// step moves to the next key.
func (j *join) step() error {
	for _, c := range j.cursors {
		if c != j.newest && bytes.Equal(c.op.Key, j.op.Key) {
			if err := c.step(); err != nil {
				return fmt.Errorf("%v: %w", c.t.span, err)
			}
		}
	}
	if err := j.newest.step(); err != nil { // last, as the key is in its memory
		return fmt.Errorf("%v: %w", j.newest.t.span, err)
	}
	j.settle()
	return nil
}
