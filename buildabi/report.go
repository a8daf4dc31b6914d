package buildabi

import (
	"encoding/binary"
	"math"
)

// GenericResult is the time report of a step that is neither a compile step nor, in [V3], a test.
type GenericResult struct {
	Step  uint32 // index into the steps of the last [Hello]
	Total uint64 // ns
}

func (*GenericResult) message() string { return "GenericResult" }

// AppendBinary appends the message's bytes to b; see [Message].
func (m *GenericResult) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, tagGenericResult)
	b = binary.LittleEndian.AppendUint32(b, m.Step)
	return binary.LittleEndian.AppendUint64(b, m.Total), nil
}

func parseGenericResult(b []byte) (*GenericResult, error) {
	if err := needSize("GenericResult", b, genericSize); err != nil {
		return nil, err
	}
	if err := needEnd("GenericResult", b, genericSize); err != nil {
		return nil, err
	}
	return &GenericResult{
		Step:  binary.LittleEndian.Uint32(b[stepIndex:]),
		Total: binary.LittleEndian.Uint64(b[genericTotal:]),
	}, nil
}

// RunTestResult is the time report of a step that runs tests; only [V3] has it.
type RunTestResult struct {
	Step  uint32 // index into the steps of the last [Hello]
	Tests []Test
}

// Test is one test of a [RunTestResult].
type Test struct {
	Name string // without NUL
	Time uint64 // ns, or [NotRun]
}

// NotRun is the time of a test that did not run.
const NotRun uint64 = math.MaxUint64

func (*RunTestResult) message() string { return "RunTestResult" }

// AppendBinary appends the message's bytes to b; see [Message].
func (m *RunTestResult) AppendBinary(b []byte) ([]byte, error) {
	if err := m.check(); err != nil {
		return b, err
	}
	b = append(b, tagRunTestResult)
	b = binary.LittleEndian.AppendUint32(b, m.Step)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Tests)))
	for i := range m.Tests {
		b = binary.LittleEndian.AppendUint64(b, m.Tests[i].Time)
	}
	for i := range m.Tests {
		b = append(append(b, m.Tests[i].Name...), 0)
	}
	return b, nil
}

func (m *RunTestResult) check() error {
	if uint64(len(m.Tests)) > math.MaxUint32 {
		return refuse("RunTestResult", "tests_len", testsCount, "%d tests", len(m.Tests))
	}
	at := testsSize + 8*len(m.Tests)
	for i := range m.Tests {
		if err := needNoNUL("RunTestResult", "test_name", at, m.Tests[i].Name); err != nil {
			return err
		}
		at += len(m.Tests[i].Name) + 1
	}
	return nil
}

func parseRunTestResult(b []byte) (*RunTestResult, error) {
	if err := needSize("RunTestResult", b, testsSize); err != nil {
		return nil, err
	}
	n := uint64(binary.LittleEndian.Uint32(b[testsCount:]))
	least := table{"tests_len", testsCount, 9 * n} // a time and a terminator for each
	if _, err := needRoom("RunTestResult", b, testsSize, least); err != nil {
		return nil, err
	}
	m := &RunTestResult{Step: binary.LittleEndian.Uint32(b[stepIndex:]), Tests: make([]Test, n)}
	names := cursor{"RunTestResult", b, testsSize + 8*int(n)}
	for i := range m.Tests {
		name, err := names.text("test_name")
		if err != nil {
			return nil, err
		}
		m.Tests[i] = Test{name, binary.LittleEndian.Uint64(b[testsSize+8*i:])}
	}
	return m, needEnd("RunTestResult", b, names.at)
}
