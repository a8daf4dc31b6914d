package buildabi

import (
	"fmt"
	"time"
)

// Build is one run of a board's steps. Its methods return [ErrSuperseded] once another build has
// begun, and other errors for arguments that cannot be shown; nothing is sent then. It is
// safe for concurrent use, and no call waits for a client.
type Build struct {
	board *Board
}

// SetStep changes the status of one step, by its index in the list given to StartBuild.
func (u *Build) SetStep(step int, status StepStatus) error {
	b := u.board
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.build != u {
		return ErrSuperseded
	}
	if uint(step) >= uint(len(b.steps)) {
		return fmt.Errorf("buildabi: set step %d: the build has %d steps", step, len(b.steps))
	}
	if status > Failure {
		return fmt.Errorf("buildabi: set step %d: no such status: %v", step, status)
	}
	if b.state.statuses.Get(step) != status {
		b.state.statuses.Set(step, status)
		b.changed()
	}
	return nil
}

// Finish says that no build runs any more: status is [Idle] or [Watching]. Steps and reports can
// still change, and fuzzing goes on.
func (u *Build) Finish(status BuildStatus) error {
	if status != Idle && status != Watching {
		return fmt.Errorf("buildabi: finish: status %v", status)
	}
	b := u.board
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.build != u {
		return ErrSuperseded
	}
	if b.state.status != status {
		b.state.status = status
		b.changed()
	}
	return nil
}

// ReportTime says how long a step took. A step has one report: the last one, of any kind.
func (u *Build) ReportTime(step int, elapsed time.Duration) error {
	if elapsed < 0 {
		return fmt.Errorf("buildabi: report step %d: a negative time: %v", step, elapsed)
	}
	return u.report(step, &GenericResult{uint32(step), uint64(elapsed)})
}

// ReportCompile says what a compile step did. The result's Step is ignored, its content copied.
func (u *Build) ReportCompile(step int, result *CompileResult) error {
	r := *result
	r.Step = uint32(step)
	return u.report(step, &r)
}

// ReportTests says what a test step did. Boards of [V1] have no such report. The result's Step is
// ignored, its content copied.
func (u *Build) ReportTests(step int, result *RunTestResult) error {
	if u.board.version < V3 {
		return fmt.Errorf("buildabi: report step %d: %v has no test results",
			step, u.board.version)
	}
	r := *result
	r.Step = uint32(step)
	return u.report(step, &r)
}

// report encodes a report once for all sessions, and keeps it for those to come.
func (u *Build) report(step int, m Message) error {
	b := u.board
	if !b.timeReport {
		return fmt.Errorf("buildabi: report step %d: time reports are off", step)
	}
	var alone Reader
	if alone.follow(m); len(alone.findings) > 0 {
		return fmt.Errorf("buildabi: report step %d: %v", step, alone.findings[0])
	}
	bytes, err := m.AppendBinary(nil)
	if err != nil {
		return fmt.Errorf("buildabi: report step %d: %w", step, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.build != u {
		return ErrSuperseded
	}
	if uint(step) >= uint(len(b.steps)) {
		return fmt.Errorf("buildabi: report step %d: %d steps", step, len(b.steps))
	}
	b.state.reports.put(step, bytes)
	b.changed()
	return nil
}
