package meter

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

func readMemory() (Memory, error) {
	anonymous, err := field("/proc/self/smaps_rollup", "Anonymous")
	if err != nil {
		return Memory{}, err
	}
	peak, err := field("/proc/self/status", "VmHWM")
	if err != nil {
		return Memory{}, err
	}
	return Memory{Anonymous: anonymous, PeakRSS: peak}, nil
}

// resetPeak uses the command of proc(5) that resets the peak resident set size.
func resetPeak() error {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return fmt.Errorf("bench: reset peak of memory: %w", err)
	}
	return nil
}

// field returns the bytes of a line "name: n kB".
func field(path, name string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("bench: memory: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), ":")
		if !ok || key != name {
			continue
		}
		kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		return kb << 10, err
	}
	return 0, fmt.Errorf("bench: memory: %s has no %s", path, name)
}
