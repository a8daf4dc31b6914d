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

// needEnd refuses a message whose parts, as it declares them, do not end where it does. The
// sum is taken with 64 bits, so that no declared count can overflow it.
func needEnd(message string, b []byte, end uint64, field string, offset int) error {
	switch {
	case end > uint64(len(b)):
		return refuse(message, field, offset, "%d bytes declared, message has %d", end, len(b))
	case end < uint64(len(b)):
		return refuse(message, "end", int(end), "%d bytes left over", uint64(len(b))-end)
	}
	return nil
}
