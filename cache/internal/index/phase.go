package index

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// phase is what the last process did with the folder. It is kept as the name of one file, which is renamed,
// so that it says the truth after a crash at any point; the file's content is the list of sound tables.
type phase int

const (
	phaseNone    phase = iota // never opened
	phaseClean                // closed
	phaseOpen                 // in use, or killed
	phaseOpening              // the engine was being opened, or died of it
	phaseRetry                // the same, after every table was found sound
	phaseDamaged              // found damaged while in use
)

const newState = "state.new" // the next state.clean, while it is written

func (p phase) file() string {
	return [...]string{"", "state.clean", "state.open", "state.opening", "state.retry", "state.damaged"}[p]
}

// phaseOf is the inverse of file, and phaseNone for any other name.
func phaseOf(name string) phase {
	for p := phaseClean; p <= phaseDamaged; p++ {
		if p.file() == name {
			return p
		}
	}
	return phaseNone
}

// attempt is the phase while the engine is being opened.
func (p phase) attempt() phase {
	if p == phaseOpening {
		return phaseRetry
	}
	return phaseOpening
}

// enter moves the folder from p to next.
func (p phase) enter(dir string, next phase) error {
	if p == next {
		return nil
	}
	if p == phaseNone {
		return os.WriteFile(filepath.Join(dir, next.file()), known{}.encode(), 0o666)
	}
	return os.Rename(filepath.Join(dir, p.file()), filepath.Join(dir, next.file()))
}

// finish moves the folder from p to phaseClean, with list as what is known.
func (p phase) finish(dir string, list known) error {
	path := filepath.Join(dir, newState)
	if err := os.WriteFile(path, list.encode(), 0o666); err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(dir, phaseClean.file())); err != nil {
		return err
	}
	err := os.Remove(filepath.Join(dir, p.file()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
