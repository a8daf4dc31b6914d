// Package errline puts two errors on one line, as fmt.Errorf does with two %w. Package fmt would slow down the start of
// programs that make one call.
package errline

type joined struct{ err, cause error }

func (j *joined) Error() string { return j.err.Error() + ": " + j.cause.Error() }

func (j *joined) Unwrap() []error { return []error{j.err, j.cause} }

// Join returns an error that is both err and its cause. If one of them is nil it returns the other.
func Join(err, cause error) error {
	switch {
	case err == nil:
		return cause
	case cause == nil:
		return err
	}
	return &joined{err, cause}
}
