package ipc_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// wireShapes are what PROTOCOL.md describes, one of each.
func wireShapes() map[string][]byte {
	status := ipc.Status{
		ServerInfo: ipc.ServerInfo{Version: "1.2.3", Instance: "000102030405060708090a0b0c0d0e0f",
			Process: ipc.Process{PID: 4711, Start: 123456789}, State: ipc.Draining, Reason: "upgrade"},
		Uptime: 90 * time.Second, Connections: 1, Running: 2, Streams: 3, Leases: 4, Calls: 5, Failed: 6,
		Refused: 7, Panics: 8, Latency: ipc.Histogram{0: 9, 31: 10},
	}
	return map[string][]byte{
		"hello-lockstep":    ipc.RawHello(1),
		"hello-multiplexed": ipc.RawHello(2),
		"acknowledgement":   ipc.RawWholeAck(status.ServerInfo, 1, 1, 64<<20, 256),
		"acknowledgement-no-version": ipc.RawWholeAck(
			ipc.ServerInfo{State: ipc.Ready, Instance: strings.Repeat("0", 32)}, 0, 0, 1, 1),
		"request": ipc.RawFrame{Kind: ipc.KindRequest, Op: 0x0102, Slot: 3, Gen: 4, Extra: 5000,
			Payload: []byte("question")}.Append(nil),
		"request-first-piece": ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagMore, Op: 1, Payload: []byte("qu")}.Append(nil),
		"request-stream":      ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagStream, Op: 1, Slot: 2}.Append(nil),
		"request-file":        ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagFile, Op: 1, Slot: 2}.Append(nil),
		"response":            ipc.RawFrame{Kind: ipc.KindResponse, Slot: 3, Gen: 4, Payload: []byte("answer")}.Append(nil),
		"response-first-piece": ipc.RawFrame{Kind: ipc.KindResponse, Flags: ipc.FlagMore, Slot: 3, Gen: 4, Extra: 4,
			Payload: []byte("an")}.Append(nil),
		"response-file": ipc.RawFrame{Kind: ipc.KindResponse, Flags: ipc.FlagFile, Slot: 3,
			Payload: []byte{0, 0, 1, 0, 0, 0, 0, 0}}.Append(nil),
		"piece": ipc.RawFrame{Kind: ipc.KindPiece, Slot: 3, Gen: 4, Payload: []byte("swer")}.Append(nil),
		"error": ipc.RawFrame{Kind: ipc.KindError, Slot: 3, Gen: 4,
			Payload: append([]byte{16, 0, 0, 0}, "too many calls"...)}.Append(nil),
		"chunk":     ipc.RawFrame{Kind: ipc.KindChunk, Slot: 2, Payload: []byte("some bytes")}.Append(nil),
		"chunk-end": ipc.RawFrame{Kind: ipc.KindChunk, Flags: ipc.FlagEnd, Slot: 2}.Append(nil),
		"credit":    ipc.RawFrame{Kind: ipc.KindCredit, Slot: 2, Extra: 2}.Append(nil),
		"cancel":    ipc.RawFrame{Kind: ipc.KindCancel, Slot: 3, Gen: 4}.Append(nil),
		"go-away":   ipc.RawFrame{Kind: ipc.KindGoAway, Payload: ipc.RawGoAway(17, "upgrade", 1234)}.Append(nil),
		"ping":      ipc.RawFrame{Kind: ipc.KindRequest, Slot: ipc.PingSlot, Payload: []byte{1}}.Append(nil),
		"shutdown": ipc.RawFrame{Kind: ipc.KindRequest, Slot: ipc.PingSlot - 1, Gen: 1,
			Payload: append([]byte{3, 8, 7, 0}, "upgrade"...)}.Append(nil),
		"status": ipc.AppendRawStatus(nil, status),
	}
}

// TestWire holds the bytes of version 1, which never change.
func TestWire(t *testing.T) {
	shapes := wireShapes()
	for name, got := range shapes {
		text, err := os.ReadFile(filepath.Join("testdata", "wire", name+".hex"))
		if err != nil {
			t.Error(err)
			continue
		}
		want, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is\n%s, want\n%s (%v)", name, hex.Dump(got), hex.Dump(want), err)
		}
	}
	files, err := os.ReadDir(filepath.Join("testdata", "wire"))
	if err != nil || len(files) != len(shapes) {
		t.Errorf("%d files for %d shapes, %v", len(files), len(shapes), err)
	}
}

// TestFramesReadBack reads what was appended.
func TestFramesReadBack(t *testing.T) {
	for name, b := range wireShapes() {
		if strings.HasPrefix(name, "hello") || strings.HasPrefix(name, "ack") || name == "status" {
			continue
		}
		f, err := ipc.ReadRawFrame(bytes.NewReader(b))
		if err != nil || !bytes.Equal(f.Append(nil), b) {
			t.Errorf("%s reads as %+v, %v", name, f, err)
		}
	}
}

// TestEveryBitIsChecked flips each bit of a header.
func TestEveryBitIsChecked(t *testing.T) {
	whole := wireShapes()["request"]
	for i := range 8 * ipc.HeaderSize {
		b := bytes.Clone(whole)
		b[i/8] ^= 1 << (i % 8)
		if _, err := ipc.ReadRawFrame(bytes.NewReader(b)); err == nil {
			t.Errorf("bit %d may be flipped", i)
		}
	}
}

func TestStatusReadBack(t *testing.T) {
	b := wireShapes()["status"]
	s, err := ipc.ParseRawStatus(append([]byte{99, 2, 0, 1, 2}, b...)) // with a field of a later version
	if err != nil || !bytes.Equal(ipc.AppendRawStatus(nil, s), b) {
		t.Errorf("%+v, %v", s, err)
	}
	for n := range len(b) {
		if _, err := ipc.ParseRawStatus(b[:n]); err != nil && !errors.Is(err, ipc.ErrProtocol) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

// Headers end with what the standard library says is the CRC-32 of the rest.
func TestHeaderSum(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		b := make([]byte, 16)
		for i := range b {
			b[i] = byte(random.Uint32() >> random.IntN(32))
		}
		f := ipc.RawFrame{Kind: b[0], Flags: b[1], Op: binary.BigEndian.Uint16(b[2:]), Slot: random.Uint32(),
			Gen: binary.BigEndian.Uint32(b[4:]), Extra: binary.BigEndian.Uint32(b[8:])}
		h := f.AppendHeader(nil, binary.BigEndian.Uint32(b[12:]))
		if got, want := binary.LittleEndian.Uint32(h[20:]), crc32.ChecksumIEEE(h[:20]); got != want {
			t.Fatalf("%x: %x, want %x", h, got, want)
		}
	}
}
