package ipc

import (
	"bytes"
	"os"
	"strconv"
)

// startOf reads the start time in clock ticks since the machine was booted, field 22 of the
// process's stat file. The program's name before it may hold anything, so fields count from
// the last parenthesis.
func startOf(pid int) (uint64, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, os.ErrProcessDone
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const state, start = 0, 19 // fields 3 and 22
	if len(fields) <= start || bytes.ContainsAny(fields[state], "ZX") {
		return 0, os.ErrProcessDone
	}
	return strconv.ParseUint(string(fields[start]), 10, 64)
}
