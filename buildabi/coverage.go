package buildabi

import (
	"bytes"
	"encoding/binary"
)

// CoverageUpdate says which locations of the last [SourceIndex] have been reached so far.
type CoverageUpdate struct {
	Runs       uint64 // how many inputs were tried
	UniqueRuns uint64 // how many of them reached something new
	Covered    Bits   // room for all locations, in whole words; what is beyond them is off
}

func (*CoverageUpdate) message() string { return "CoverageUpdate" }

// AppendBinary appends the message's bytes to b; see [Message].
func (m *CoverageUpdate) AppendBinary(b []byte) ([]byte, error) {
	if len(m.Covered)%wordSize != 0 {
		return b, refuse("CoverageUpdate", "bits", coverageSize,
			"%d bytes are not whole words", len(m.Covered))
	}
	b = append(b, tagCoverageUpdate, 0, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, m.Runs)
	b = binary.LittleEndian.AppendUint64(b, m.UniqueRuns)
	return append(b, m.Covered...), nil
}

func parseCoverageUpdate(b []byte) (*CoverageUpdate, error) {
	if err := needSize("CoverageUpdate", b, coverageSize); err != nil {
		return nil, err
	}
	if !bytes.Equal(b[coveragePadding:coverageRuns], make([]byte, coverageRuns-coveragePadding)) {
		return nil, refuse("CoverageUpdate", "padding", coveragePadding, "not zero")
	}
	if n := len(b) - coverageSize; n%wordSize != 0 {
		return nil, refuse("CoverageUpdate", "bits", coverageSize, "%d bytes are not whole words", n)
	}
	return &CoverageUpdate{
		Runs:       binary.LittleEndian.Uint64(b[coverageRuns:]),
		UniqueRuns: binary.LittleEndian.Uint64(b[coverageUnique:]),
		Covered:    bytes.Clone(b[coverageSize:]),
	}, nil
}

// EntryPoints says where the fuzzed tests begin.
type EntryPoints struct {
	Locations []uint32 // indices into those of the last [SourceIndex]; at most 2^24-1
}

func (*EntryPoints) message() string { return "EntryPoints" }

// AppendBinary appends the message's bytes to b; see [Message].
func (m *EntryPoints) AppendBinary(b []byte) ([]byte, error) {
	n := len(m.Locations)
	if n > maxEntryPoints {
		return b, refuse("EntryPoints", "locs_len", entryCount, "%d are more than %d",
			n, maxEntryPoints)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(n)<<8|tagEntryPoints)
	for _, l := range m.Locations {
		b = binary.LittleEndian.AppendUint32(b, l)
	}
	return b, nil
}

func parseEntryPoints(b []byte) (*EntryPoints, error) {
	if err := needSize("EntryPoints", b, entrySize); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(b) >> 8
	end, err := needRoom("EntryPoints", b, entrySize, table{"locs_len", entryCount, 4 * uint64(n)})
	if err == nil {
		err = needEnd("EntryPoints", b, end)
	}
	if err != nil {
		return nil, err
	}
	m := &EntryPoints{make([]uint32, n)}
	for i := range m.Locations {
		m.Locations[i] = binary.LittleEndian.Uint32(b[entrySize+4*i:])
	}
	return m, nil
}
