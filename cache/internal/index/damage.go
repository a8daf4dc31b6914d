package index

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// damagedf makes an error that is ErrDamaged.
func damagedf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// damageOf says that a missing file or a device that cannot read is damage. Other errors, such as too many
// open files, are no reason to throw an index away.
func damageOf(err error) error {
	if !errors.Is(err, ErrDamaged) && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EIO)) {
		return damagedf("%w", err)
	}
	return err
}

// readFile reads a file of at most limit bytes.
func readFile(dir, name string, limit int64) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, damageOf(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = damagedf("%s is longer than %d bytes", name, limit)
	}
	return b, damageOf(err)
}
