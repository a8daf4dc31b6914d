package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// descriptors returns what each open file descriptor of the process refers to.
func descriptors() map[string]string {
	const dir = "/proc/self/fd"
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // no /proc here
	}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil || runtimeOwn(target) { // ReadDir's own descriptor is closed by now
			continue
		}
		all[e.Name()] = target
	}
	return all
}

// runtimeOwn is true of what the Go runtime opens at first need for its poller.
func runtimeOwn(target string) bool {
	return strings.HasSuffix(target, "[eventpoll]") || strings.HasSuffix(target, "[eventfd]")
}

func leakedDescriptors(before map[string]string) []string {
	var list []string
	for number, target := range descriptors() {
		if before[number] != target {
			list = append(list, fmt.Sprintf("file descriptor %s: %s", number, target))
		}
	}
	return list
}
