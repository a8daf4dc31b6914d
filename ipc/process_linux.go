package ipc

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// startOf reads the start time in clock ticks since the machine was booted, field 22 of the
// process's stat file. The program's name before it may hold anything, so fields count from
// the last parenthesis.
func startOf(pid int) (uint64, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
		return 0, os.ErrProcessDone
	case err != nil:
		return 0, err // such as for lack of descriptors: that says nothing about the process
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const state, start = 0, 19 // fields 3 and 22
	if len(fields) <= start || bytes.ContainsAny(fields[state], "ZX") {
		return 0, os.ErrProcessDone
	}
	return strconv.ParseUint(string(fields[start]), 10, 64)
}
