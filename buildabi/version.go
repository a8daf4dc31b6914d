package buildabi

import "fmt"

// Version selects one of the released forms of the interface. The zero value is [V1].
type Version uint8

// The released versions; the one between them never left its branch.
const (
	V1 Version = iota // Zig 0.15
	V3                // Zig 0.16 and 0.17
)

// String returns "V1" or "V3".
func (v Version) String() string { return nameOf("Version", uint8(v), "V1", "V3") }

func (v Version) check() error {
	if v > V3 {
		return fmt.Errorf("buildabi: unknown version %d", v)
	}
	return nil
}

// BuildStatus is what the whole build does.
type BuildStatus uint8

// The build statuses. A client's Rebuild button works in the first two.
const (
	Idle     BuildStatus = iota // no build runs
	Watching                    // no build runs, and a changed input starts one
	Building                    // a build runs; a client greys the reports of the one before
	FuzzInit                    // fuzzing is being prepared
)

// String returns the status by Zig's name, in which Building is running.
func (s BuildStatus) String() string {
	return nameOf("BuildStatus", uint8(s), "idle", "watching", "running", "fuzz_init")
}

// StepStatus is what one step does.
type StepStatus uint8

// The step statuses.
const (
	Pending StepStatus = iota
	Running
	Success // also of a step that was skipped
	Failure
)

// String returns the status by Zig's name, in which Running is wip.
func (s StepStatus) String() string {
	return nameOf("StepStatus", uint8(s), "pending", "wip", "success", "failure")
}

func nameOf(kind string, value uint8, names ...string) string {
	if int(value) < len(names) {
		return names[value]
	}
	return fmt.Sprintf("%s(%d)", kind, value)
}
