//go:build unix && !linux

package ipc_test

// asNobody runs f on a thread of another user, which only Linux can.
func asNobody(func()) bool { return false }

func elsewhereRole([]string) int { return 2 }
