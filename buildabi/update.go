package buildabi

import "encoding/binary"

// StatusUpdate says that the build does something else now.
type StatusUpdate struct {
	New BuildStatus
}

func (*StatusUpdate) message() string { return "StatusUpdate" }

// AppendBinary appends the message's bytes to b; see [Message].
func (m *StatusUpdate) AppendBinary(b []byte) ([]byte, error) {
	if m.New > FuzzInit {
		return b, refuse("StatusUpdate", "new", statusNew, "no build status %d", m.New)
	}
	return append(b, tagStatusUpdate, byte(m.New)), nil
}

func parseStatusUpdate(b []byte) (*StatusUpdate, error) {
	if err := needSize("StatusUpdate", b, statusUpdateSize); err != nil {
		return nil, err
	}
	m := &StatusUpdate{BuildStatus(b[statusNew])}
	if m.New > FuzzInit {
		return nil, refuse("StatusUpdate", "new", statusNew, "no build status %d", m.New)
	}
	return m, needEnd("StatusUpdate", b, statusUpdateSize)
}

// StepUpdate says that one step does something else now.
type StepUpdate struct {
	Step   uint32 // index into the steps of the last [Hello]
	Status StepStatus
}

func (*StepUpdate) message() string { return "StepUpdate" }

// AppendBinary appends the message's bytes to b; see [Message].
func (m *StepUpdate) AppendBinary(b []byte) ([]byte, error) {
	if m.Status > Failure {
		return b, refuse("StepUpdate", "bits", stepBits, "no step status %d", m.Status)
	}
	b = append(b, tagStepUpdate)
	b = binary.LittleEndian.AppendUint32(b, m.Step)
	return append(b, byte(m.Status)), nil
}

func parseStepUpdate(b []byte) (*StepUpdate, error) {
	if err := needSize("StepUpdate", b, stepUpdateSize); err != nil {
		return nil, err
	}
	m := &StepUpdate{binary.LittleEndian.Uint32(b[stepIndex:]), StepStatus(b[stepBits])}
	if m.Status > Failure {
		return nil, refuse("StepUpdate", "bits", stepBits, "reserved bits in %#02x", b[stepBits])
	}
	return m, needEnd("StepUpdate", b, stepUpdateSize)
}
