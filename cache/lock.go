package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// rootLock is the advisory lock of a root's one owner. The system gives it up however the owner
// dies. The file holds the owner's process id, for the message that others get.
type rootLock struct {
	f *os.File
}

// errHeld is what the platform's tryLock returns when another owner holds the lock.
var errHeld = errors.New("held")

const (
	lockPollMin = 2 * time.Millisecond
	lockPollMax = 100 * time.Millisecond
)

// acquireLock takes the lock of dir, waiting for another owner for as long as wait says.
func acquireLock(ctx context.Context, dir string, wait time.Duration) (*rootLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(wait)
	for pause := lockPollMin; ; pause = min(2*pause, lockPollMax) {
		err := tryLock(f)
		if err == nil {
			err = writeOwner(f)
		}
		if err == nil {
			return &rootLock{f: f}, nil
		}
		if !errors.Is(err, errHeld) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		left := time.Until(deadline)
		if wait >= 0 && left <= 0 {
			defer f.Close()
			return nil, &LockedError{Dir: dir, PID: readOwner(f)}
		}
		if wait >= 0 {
			pause = min(pause, left)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			defer f.Close()
			return nil, fmt.Errorf("%w: %w", &LockedError{Dir: dir, PID: readOwner(f)}, context.Cause(ctx))
		}
	}
}

func writeOwner(f *os.File) error {
	line := fmt.Sprintf("%-20d\n", os.Getpid())
	_, err := f.WriteAt([]byte(line), 0)
	return err
}

func readOwner(f *os.File) int {
	b := make([]byte, 21)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return max(pid, 0)
}

func (l *rootLock) release() error {
	if l == nil {
		return nil
	}
	return l.f.Close()
}
