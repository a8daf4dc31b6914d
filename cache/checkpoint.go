package cache

import (
	"encoding/binary"

	"github.com/larderbuild/larder/internal/framelog"
)

// checkpoint is the state that goes into the index with each batch: how much of the log the index
// has, and the counters, which only a walk could find otherwise.
type checkpoint struct {
	clean    bool         // written by Close: nothing came after it
	applied  framelog.Pos // the index has every frame before it
	rebuilt  bool         // false while older frames are still being read back
	entries  int64
	payloads int64
	bytes    int64
	shared   int64
	distrust uint32       // Unix seconds: payloads verified before are hashed at their next hand-out
	hashed   uint32       // no payload was verified later than that
	synced   framelog.Pos // payload files of every frame before it are durable
}

const (
	checkpointVersion = 1
	checkpointBytes   = 2 + 2*framelog.PosSize + 5*8

	checkpointClean   = 1
	checkpointRebuilt = 2
)

var checkpointKey = []byte{prefixState}

func appendCheckpoint(b []byte, c *checkpoint) []byte {
	start := len(b)
	var flags byte
	if c.clean {
		flags |= checkpointClean
	}
	if c.rebuilt {
		flags |= checkpointRebuilt
	}
	b = append(b, checkpointVersion, flags)
	b = framelog.AppendPos(framelog.AppendPos(b, c.applied), c.synced)
	for _, v := range []int64{c.entries, c.payloads, c.bytes, c.shared} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	b = binary.LittleEndian.AppendUint32(b, c.distrust)
	b = binary.LittleEndian.AppendUint32(b, c.hashed)
	return binary.LittleEndian.AppendUint64(b, sum(checkpointKey, b[start:]))
}

func parseCheckpoint(value []byte, c *checkpoint) error {
	b, err := verified(checkpointKey, value)
	if err != nil {
		return err
	}
	if len(b) != checkpointBytes || b[0] != checkpointVersion ||
		b[1]&^(checkpointClean|checkpointRebuilt) != 0 {
		return errRecord
	}
	*c = checkpoint{clean: b[1]&checkpointClean != 0, rebuilt: b[1]&checkpointRebuilt != 0}
	c.applied, b, err = framelog.ParsePos(b[2:])
	if err == nil {
		c.synced, b, err = framelog.ParsePos(b)
	}
	if err != nil {
		return err
	}
	for _, v := range []*int64{&c.entries, &c.payloads, &c.bytes, &c.shared} {
		*v, b = int64(binary.LittleEndian.Uint64(b)), b[8:]
	}
	c.distrust, c.hashed = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	return nil
}

func (s *Store) checkpoint(clean bool) checkpoint {
	applied := s.flog.End()
	if s.recovering && s.rebuild == nil { // what follows is still to be read; applying this one twice does no harm
		applied = s.replayed
	}
	return checkpoint{
		clean:    clean,
		applied:  applied,
		rebuilt:  s.rebuild == nil,
		entries:  s.stats.entries.Load(),
		payloads: s.stats.payloads.Load(),
		bytes:    s.stats.payloadBytes.Load(),
		shared:   s.stats.sharedBytes.Load(),
		distrust: s.distrustBefore.Load(),
		hashed:   s.lastHashed,
		synced:   s.unsyncedFiles.position(),
	}
}
