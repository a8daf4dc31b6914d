package index

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// OpenBadger opens or makes the index in o.Dir. ErrDamaged says that the folder must be taken away and the index
// rebuilt; any other error says nothing about the records.
func OpenBadger(o Options) (*Badger, error) {
	b, err := openBadger(o)
	if err != nil {
		return nil, fmt.Errorf("index: open: %w", err)
	}
	return b, nil
}

func openBadger(o Options) (*Badger, error) {
	if o.ReadOnly && !canReadOnly {
		return nil, errors.ErrUnsupported
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	s, err := look(o.Dir)
	if err != nil {
		return nil, err
	}
	reading := o.ReadOnly || o.Lazy && canReadOnly && s.phase == phaseClean
	// A compaction ends the process when it meets certain damage, so none may run over tables that were not read.
	s.thorough = !reading
	if err = s.check(); err != nil && !reading && errors.Is(err, ErrDamaged) {
		err = errors.Join(err, s.enter(phaseDamaged))
	}
	if err == nil {
		err = s.sweep()
	}
	if err != nil {
		return nil, err
	}
	b := &Badger{options: o, survey: s, reading: reading, committed: make(chan error, 1)}
	b.flushes.restart()
	if o.ReadOnly {
		err = b.start()
	} else {
		err = b.attempt()
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// attempt starts the engine with a mark in the folder that says so, should the process die of it.
func (b *Badger) attempt() error {
	if err := os.MkdirAll(b.options.Dir, 0o777); err != nil {
		return err
	}
	if err := b.survey.enter(b.survey.phase.attempt()); err != nil {
		return err
	}
	if err := b.start(); err != nil {
		return errors.Join(err, b.survey.enter(phaseOpen))
	}
	if err := b.survey.enter(phaseOpen); err != nil {
		return errors.Join(err, b.db.Close())
	}
	return nil
}
