package buildabi

import "slices"

// reports holds the last report of each step, and chains the steps from the latest report to the
// oldest, so that a session finds what is new without looking at every step.
type reports struct {
	slots  []reportSlot // by step
	latest int          // -1 is none
	count  uint64       // of all reports ever, by which sessions know what they have sent
}

type reportSlot struct {
	bytes        []byte // never changed, only replaced
	number       uint64 // the count when it came; 0 is no report
	newer, older int
}

func newReports(steps int, count uint64) reports {
	return reports{slots: make([]reportSlot, steps), latest: -1, count: count}
}

func (r *reports) put(step int, bytes []byte) {
	s := &r.slots[step]
	if s.number > 0 {
		r.unlink(step)
	}
	r.count++
	*s = reportSlot{bytes, r.count, -1, r.latest}
	if r.latest >= 0 {
		r.slots[r.latest].newer = step
	}
	r.latest = step
}

func (r *reports) unlink(step int) {
	s := &r.slots[step]
	if s.newer >= 0 {
		r.slots[s.newer].older = s.older
	} else {
		r.latest = s.older
	}
	if s.older >= 0 {
		r.slots[s.older].newer = s.newer
	}
}

// since appends the steps whose reports came after the count was seen, in their order, to steps.
func (r *reports) since(seen uint64, steps []int) []int {
	for i := r.latest; i >= 0 && r.slots[i].number > seen; i = r.slots[i].older {
		steps = append(steps, i)
	}
	slices.Sort(steps)
	return steps
}
