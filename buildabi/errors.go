package buildabi

import "fmt"

// MessageError says why bytes are not a message, or why a message cannot be encoded.
type MessageError struct {
	Message string // name of the message's type
	Field   string // name of the field, as in the format page
	Offset  int    // byte of the message at which the field is, or would be, found
	Problem string // what is wrong with it
}

// Error names message, field, offset and problem.
func (e *MessageError) Error() string {
	return fmt.Sprintf("buildabi: %s: %s at byte %d: %s", e.Message, e.Field, e.Offset, e.Problem)
}

// refuse makes the error of one message's field.
func refuse(message, field string, offset int, format string, args ...any) error {
	return &MessageError{message, field, offset, fmt.Sprintf(format, args...)}
}

// needSize refuses a message that is shorter than its fixed part. The field named is the one
// that the message ends in.
func needSize(message string, b []byte, size int) error {
	if len(b) < size {
		return refuse(message, "fixed part", len(b), "message ends, %d bytes needed", size)
	}
	return nil
}

// table is a part of a message whose size follows from a number in its fixed part.
type table struct {
	field string // the number's
	at    int    // where it is
	size  uint64 // bytes at least
}

// needRoom refuses a message in which a table has no room after those before it, and names that
// one's number. It returns where the last one ends. The sum is taken with 64 bits, so that no
// number can overflow it.
func needRoom(message string, b []byte, fixed int, tables ...table) (end int, err error) {
	sum := uint64(fixed)
	for _, t := range tables {
		if left := uint64(len(b)) - sum; t.size > left {
			return 0, refuse(message, t.field, t.at, "%d bytes needed, %d left", t.size, left)
		}
		sum += t.size
	}
	return int(sum), nil
}

// needEnd refuses a message that goes on after its parts.
func needEnd(message string, b []byte, end int) error {
	if len(b) > end {
		return refuse(message, "end", end, "%d bytes left over", len(b)-end)
	}
	return nil
}
