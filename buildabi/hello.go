package buildabi

import (
	"encoding/binary"
	"math"
)

// Hello is the first message of a session, and of what follows a change of the step list: the
// client forgets all that it was told before.
type Hello struct {
	Status     BuildStatus
	TimeReport bool     // time reports will come
	Timestamp  int64    // ns since the server's base time, when this was sent
	Steps      []string // the names
	Statuses   Statuses // room for exactly these steps; nil only without any
}

func (*Hello) message() string { return "Hello" }

// AppendBinary appends the message's bytes to b; see [Message].
func (m *Hello) AppendBinary(b []byte) ([]byte, error) {
	if err := m.check(); err != nil {
		return b, err
	}
	flags := uint16(0)
	if m.TimeReport {
		flags = helloTimeReport
	}
	b = append(b, tagHello, byte(m.Status))
	b = binary.LittleEndian.AppendUint16(b, flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(m.Timestamp))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Steps)))
	for _, name := range m.Steps {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(name)))
	}
	for _, name := range m.Steps {
		b = append(b, name...)
	}
	return append(b, m.Statuses...), nil
}

func (m *Hello) check() error {
	n := len(m.Steps)
	switch {
	case m.Status > FuzzInit:
		return refuse("Hello", "status", helloStatus, "no build status %d", m.Status)
	case uint64(n) > math.MaxUint32:
		return refuse("Hello", "steps_len", helloSteps, "%d steps", n)
	case len(m.Statuses) != statusesSize(n):
		return refuse("Hello", "step_statuses", m.statusesAt(),
			"%d bytes for %d steps", len(m.Statuses), n)
	case m.Statuses.unused(n) != 0:
		return refuse("Hello", "step_statuses", m.statusesAt()+len(m.Statuses)-1,
			"bits after the last step are set")
	}
	for i, name := range m.Steps {
		if uint64(len(name)) > math.MaxUint32 {
			return refuse("Hello", "step_name_lens", helloSize+4*i, "name of %d bytes", len(name))
		}
	}
	return nil
}

// statusesAt is the offset of the statuses.
func (m *Hello) statusesAt() int {
	at := helloSize + 4*len(m.Steps)
	for _, name := range m.Steps {
		at += len(name)
	}
	return at
}

func parseHello(b []byte) (*Hello, error) {
	if err := needSize("Hello", b, helloSize); err != nil {
		return nil, err
	}
	flags := binary.LittleEndian.Uint16(b[helloFlags:])
	if flags&^helloTimeReport != 0 {
		return nil, refuse("Hello", "flags", helloFlags, "reserved bits in %#04x", flags)
	}
	m := &Hello{
		Status:     BuildStatus(b[helloStatus]),
		TimeReport: flags&helloTimeReport != 0,
		Timestamp:  int64(binary.LittleEndian.Uint64(b[helloTimestamp:])),
	}
	if err := m.parseSteps(b); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Hello) parseSteps(b []byte) error {
	n := uint64(binary.LittleEndian.Uint32(b[helloSteps:]))
	names, err := needRoom("Hello", b, helloSize, table{"steps_len", helloSteps, 4 * n})
	if err != nil {
		return err
	}
	end := names
	for at := helloSize; at < names; at += 4 {
		size := uint64(binary.LittleEndian.Uint32(b[at:]))
		if end, err = needRoom("Hello", b, end, table{"step_name_lens", at, size}); err != nil {
			return err
		}
	}
	last, err := needRoom("Hello", b, end, table{"step_statuses", end, (n + 3) / 4})
	if err == nil {
		err = needEnd("Hello", b, last)
	}
	if err != nil || n == 0 {
		return err
	}
	text := string(b[names:end]) // one allocation for all names
	m.Steps = make([]string, n)
	for i := range m.Steps {
		size := binary.LittleEndian.Uint32(b[helloSize+4*i:])
		m.Steps[i], text = text[:size], text[size:]
	}
	m.Statuses = append(Statuses(nil), b[end:]...)
	return nil
}
