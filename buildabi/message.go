package buildabi

import "encoding"

// Message is one message to a client: [*Hello], [*StatusUpdate], [*StepUpdate], [*SourceIndex],
// [*CoverageUpdate], [*EntryPoints], [*GenericResult], [*CompileResult] or [*RunTestResult].
//
// AppendBinary appends the message's bytes to b and allocates nothing but b's growth. What cannot
// be said in the format is a [*MessageError]; b is then returned as it was.
type Message interface {
	encoding.BinaryAppender
	message() string
}

// Parse decodes one message that a server of version v sent. It checks everything that the message
// alone can show: lengths, counts, terminators, reserved bits, and that nothing is left over.
// Whether indices fit to other messages and tables is for a [Reader] to say. The message shares
// no memory with b. Bytes that are no message are a [*MessageError].
func Parse(v Version, b []byte) (Message, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, refuse("Message", "tag", 0, "message is empty")
	}
	switch b[0] {
	case tagHello:
		return result(parseHello(b))
	case tagStatusUpdate:
		return result(parseStatusUpdate(b))
	case tagStepUpdate:
		return result(parseStepUpdate(b))
	case tagSourceIndex:
		return result(parseSourceIndex(v, b))
	case tagCoverageUpdate:
		return result(parseCoverageUpdate(b))
	case tagEntryPoints:
		return result(parseEntryPoints(b))
	case tagGenericResult:
		return result(parseGenericResult(b))
	case tagCompileResult:
		return result(parseCompileResult(b))
	case tagRunTestResult:
		if v >= V3 {
			return result(parseRunTestResult(b))
		}
	}
	return nil, refuse("Message", "tag", 0, "%v has no message with tag %d", v, b[0])
}

// result keeps a nil pointer from becoming a message.
func result[M Message](m M, err error) (Message, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Rebuild is the one message from a client to a server: the button was pressed.
type Rebuild struct{}

// AppendBinary appends the message's bytes to b; it does not fail.
func (Rebuild) AppendBinary(b []byte) ([]byte, error) { return append(b, tagRebuild), nil }

// ParseClient decodes a message from a client. As in Zig's server, only the tag counts: bytes
// after it are ignored. Another tag or an empty message is a [*MessageError].
func ParseClient(b []byte) (Rebuild, error) {
	switch {
	case len(b) == 0:
		return Rebuild{}, refuse("Rebuild", "tag", 0, "message is empty")
	case b[0] != tagRebuild:
		return Rebuild{}, refuse("Rebuild", "tag", 0, "no message from a client has tag %d", b[0])
	}
	return Rebuild{}, nil
}
