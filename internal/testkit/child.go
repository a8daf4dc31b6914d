package testkit

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// roleVariable holds the role of a child process; nothing but tests reads it.
const roleVariable = "LARDER_TEST_ROLE"

func play(name string, roles map[string]Role) int {
	role := roles[name]
	if role == nil {
		fmt.Fprintf(os.Stderr, "testkit: no role %q\n", name)
		return 2
	}
	return role(os.Args[1:])
}

// Child is a running child process. It is killed at the end of the test if it still runs, and
// its standard error is printed if the test has failed. One goroutine may use In and
// another Out at the same time.
type Child struct {
	In  io.WriteCloser
	Out *bufio.Reader
	Cmd *exec.Cmd // already started: not to be waited for, see Wait

	stderr bytes.Buffer // complete after Wait
	wait   func() error
}

// Start starts this test binary again to play a role, which [Main] must know. A command that
// needs more than args and pipes is made by [Command].
func Start(t testing.TB, role string, args ...string) *Child {
	t.Helper()
	c := &Child{Cmd: Command(t, role, args...)}
	c.Cmd.Stderr = &c.stderr
	in, err := c.Cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.In, c.Out = in, bufio.NewReader(out)
	if err := c.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.wait = sync.OnceValue(c.Cmd.Wait)
	t.Cleanup(func() { c.end(t) })
	return c
}

func (c *Child) end(t testing.TB) {
	c.Kill()
	if t.Failed() && c.stderr.Len() > 0 {
		t.Logf("standard error of %v:\n%s", c.Cmd.Args[1:], c.stderr.String())
	}
}

// Wait closes In, waits for the end and returns what [exec.Cmd.Wait] does. Read Out to its
// end first: Wait closes it. Further calls return the same.
func (c *Child) Wait() error {
	c.In.Close()
	return c.wait()
}

// Kill ends the child at once, SIGKILL where there are signals, and waits for its end.
func (c *Child) Kill() {
	c.Cmd.Process.Kill() // fails only for a child that has ended
	c.Wait()             // fails because of the signal
}

// Stderr returns what the child wrote to standard error; call it after Wait or Kill.
func (c *Child) Stderr() string { return c.stderr.String() }

// Command returns the command, not yet started, that plays a role in a child process. It is
// killed when the test ends.
func Command(t testing.TB, role string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool {
		return strings.HasPrefix(s, roleVariable+"=")
	}), roleVariable+"="+role)
	return cmd
}
