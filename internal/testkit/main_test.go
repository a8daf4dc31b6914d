package testkit_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
)

func TestMain(m *testing.M) {
	os.Exit(testkit.Main(m, &testkit.Options{Roles: map[string]testkit.Role{
		"echo":  echo,
		"hang":  hang,
		"run":   run,
		"fails": func([]string) int { return 7 },
	}}))
}

// echo answers each line with the arguments and the line.
func echo(args []string) int {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Println(strings.Join(args, " "), in.Text())
	}
	fmt.Fprintln(os.Stderr, "end of input")
	return 0
}

// hang says that it is there, and then nothing.
func hang([]string) int {
	fmt.Println("here")
	select {}
}

// run plays a whole test run that leaves behind what args[0] names.
func run(args []string) int {
	os.Unsetenv("LARDER_TEST_ROLE") // what follows is the run of an ordinary test binary
	o := &testkit.Options{Known: []string{"testkit_test.wellKnown("}}
	if args[0] != "late goroutine" {
		o.Wait = 20 * time.Millisecond
	}
	return testkit.Main(tests[args[0]], o)
}

// runFunc stands for a *testing.M.
type runFunc func() int

func (f runFunc) Run() int { return f() }

var tests = map[string]runFunc{
	"nothing": func() int { return 0 },
	"goroutine": func() int {
		go forgotten(make(chan int))
		return 0
	},
	"known goroutine": func() int {
		go wellKnown(make(chan int))
		return 0
	},
	"signal handler": func() int {
		c := make(chan os.Signal, 1)
		signal.Notify(c, os.Interrupt)
		signal.Stop(c) // and yet a goroutine of package signal stays for good
		return 0
	},
	"late goroutine": func() int {
		gone := make(chan int)
		time.AfterFunc(5*time.Millisecond, func() { close(gone) })
		go forgotten(gone)
		return 0
	},
	"file": func() int {
		if _, err := os.Open(os.Args[0]); err != nil {
			return 3
		}
		return 0
	},
	"closed file": func() int {
		f, err := os.Open(os.Args[0])
		if err != nil {
			return 3
		}
		f.Close()
		return 0
	},
	"failed test": func() int {
		go forgotten(make(chan int))
		return 1
	},
}

func forgotten(c chan int) { <-c }

func wellKnown(c chan int) { <-c }

func TestLeaks(t *testing.T) {
	for _, tc := range []struct {
		leaves string
		code   int
		says   string // nothing at all when empty
	}{
		{"nothing", 0, ""},
		{"goroutine", 1, "testkit_test.forgotten("},
		{"known goroutine", 0, ""},
		{"signal handler", 0, ""},
		{"late goroutine", 0, ""},
		{"closed file", 0, ""},
		{"failed test", 1, ""},
	} {
		t.Run(tc.leaves, func(t *testing.T) { leaves(t, tc.leaves, tc.code, tc.says) })
	}
}

// leaves checks the exit code and the standard error of a run that leaves something.
func leaves(t *testing.T, what string, code int, says string) {
	t.Helper()
	c := testkit.Start(t, "run", what)
	c.Wait()
	if got := c.Cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, want %d", got, code)
	}
	if s := c.Stderr(); !strings.Contains(s, says) || says == "" && s != "" {
		t.Errorf("standard error %q, want %q", s, says)
	}
}

func TestChild(t *testing.T) {
	c := testkit.Start(t, "echo", "you", "said")
	for _, line := range []string{"one", "two words"} {
		fmt.Fprintln(c.In, line)
		if got, err := c.Out.ReadString('\n'); got != "you said "+line+"\n" {
			t.Errorf("echo of %q: %q, %v", line, got, err)
		}
	}
	c.In.Close()
	if rest, err := io.ReadAll(c.Out); len(rest) != 0 || err != nil {
		t.Errorf("after the last line: %q, %v", rest, err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if s := strings.TrimSpace(c.Stderr()); s != "end of input" {
		t.Errorf("standard error %q", s)
	}
}

func TestChildIsKilled(t *testing.T) {
	var c *testkit.Child
	t.Run("inner", func(t *testing.T) {
		c = testkit.Start(t, "hang")
		if s, err := c.Out.ReadString('\n'); strings.TrimSpace(s) != "here" {
			t.Fatalf("%q, %v", s, err)
		}
	})
	if c.Cmd.ProcessState == nil || c.Cmd.ProcessState.Success() {
		t.Errorf("after the end of its test the child is %v", c.Cmd.ProcessState)
	}
}

func TestRoles(t *testing.T) {
	for role, code := range map[string]int{"fails": 7, "no such role": 2} {
		if err := testkit.Command(t, role).Run(); err == nil {
			t.Errorf("%s: no error", role)
		} else if want := fmt.Sprintf("exit status %d", code); err.Error() != want {
			t.Errorf("%s: %v, want %s", role, err, want)
		}
	}
}
