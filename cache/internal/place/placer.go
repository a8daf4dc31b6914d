package place

import (
	"errors"
	"os"
	"sync"
)

// Mode says how a [Delivery] may place files.
type Mode uint8

const (
	// Auto clones, and copies what cannot be cloned.
	Auto Mode = iota
	// Clone shares blocks until one side is written, and fails where that is impossible.
	Clone
	// Link makes another name for the stored file, for destinations that nobody writes to. What
	// cannot be linked, or needs other permissions than the stored file has, is cloned, else
	// copied.
	Link
	// Copy moves every byte through this process and shares nothing.
	Copy
)

// How says what was done for one file.
type How uint8

const (
	// Copied is a file of its own.
	Copied How = iota
	// Cloned shares blocks with its source until one of them is written.
	Cloned
	// Linked is the stored file itself under another name.
	Linked
	// Renamed is the source itself, which is gone from where it was.
	Renamed
)

// String is one lower-case word.
func (h How) String() string {
	switch h {
	case Cloned:
		return "cloned"
	case Linked:
		return "linked"
	case Renamed:
		return "renamed"
	}
	return "copied"
}

// Placer places files and remembers which ways work between which volumes. It is safe for
// concurrent use; the zero value is ready; it must not be copied.
type Placer struct {
	sys *kernel // nil: the real one

	mu    sync.Mutex
	pairs map[pair]operation // what was refused; guarded by mu
}

// maxPairs bounds the memory. A pair that was dropped costs one refused call more.
const maxPairs = 64

// pair is where a file comes from and where it goes.
type pair struct{ from, to volume }

// volume is what decides whether two files can share blocks or an inode. Two mounts of one device
// are two volumes: a link between them is refused although links inside each work.
type volume struct {
	device uint64
	//lint:ignore U1000 only Linux tells mounts apart
	mount uint64
}

// operation is a set of ways that the kernel may refuse.
type operation uint8

const (
	cloning operation = 1 << iota
	linking
)

func (o operation) String() string {
	if o == linking {
		return "link"
	}
	return "clone"
}

var errDemoted = errors.New("not possible between these volumes")

// check is a [*refusedError] when op was refused for the whole pair before.
func (p *Placer) check(op operation, on pair) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pairs[on]&op != 0 {
		return &refusedError{op: op, cause: errDemoted}
	}
	return nil
}

// try asks the kernel for op unless it is known to refuse, and tells a refusal from a failure.
func (p *Placer) try(op operation, on pair, do func() error) error {
	if err := p.check(op, on); err != nil {
		return err
	}
	if err := do(); err != nil {
		return p.refusal(op, on, err)
	}
	return nil
}

// demote remembers that op is refused for the whole pair.
func (p *Placer) demote(on pair, op operation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pairs == nil {
		p.pairs = make(map[pair]operation)
	}
	if _, known := p.pairs[on]; !known && len(p.pairs) >= maxPairs {
		for other := range p.pairs {
			delete(p.pairs, other)
			break
		}
	}
	p.pairs[on] |= op
}

// kernel holds the system calls whose answers decide between clone, link and copy. A clone or link
// answers with a bare [syscall.Errno] when the kernel itself refuses. Tests substitute answers
// that this machine's kernel does not give.
type kernel struct {
	// clone makes name, which is new, a private clone of src with the current time.
	clone func(src *os.File, into *folder, name string) (*os.File, error)
	// link makes name, which is new, another link of src.
	link func(src *os.File, into *folder, name string) error
	// volume is zero when the platform cannot tell.
	volume func(f *os.File) volume
}

func (p *Placer) kernel() kernel {
	if p.sys != nil {
		return *p.sys
	}
	return system()
}

func system() kernel {
	return kernel{clone: cloneFile, link: linkFile, volume: volumeOf}
}
