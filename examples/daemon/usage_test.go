package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

// runHere runs the command in this process, where it is given nothing to do.
func runHere(t *testing.T, args ...string) (code int, out, said string) {
	var o, e bytes.Buffer
	a := newApp()
	a.out, a.errors = &o, &e
	code = a.run(t.Context(), args)
	return code, o.String(), e.String()
}

func TestHelp(t *testing.T) {
	for _, help := range []string{"help", "-h", "-help", "--help"} {
		code, out, said := runHere(t, help)
		if code != 0 || said != "" {
			t.Errorf("%s: exit code %d, %q", help, code, said)
		}
		for _, v := range verbs {
			if !strings.Contains(out, "  "+v.name+" ") || !strings.Contains(out, v.about) {
				t.Errorf("%s does not tell of %s: %s", help, v.name, out)
			}
		}
	}
	for _, v := range verbs {
		code, out, said := runHere(t, v.name, "-h")
		if code != 0 || said != "" || !strings.Contains(out, v.about) {
			t.Errorf("%s -h: exit code %d, %q, %q", v.name, code, out, said)
		}
		for name, own := range map[string]bool{
			"json": true, "scope": true, "timeout": true, "dir": true,
			"callers": v.name == "load", "for": v.name == "load", "ready": v.name == "serve",
		} {
			if strings.Contains(out, "  -"+name) != own {
				t.Errorf("%s -h: flag %s is there: %v", v.name, name, !own)
			}
		}
	}
}

// TestWrongArguments names what is wrong with the arguments, and does nothing else.
func TestWrongArguments(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct{ args, said string }{
		{"", "no verb"}, {"", "usage: daemon VERB"}, {"dance", `"dance"`}, {"-json", `"-json"`},
		{"call -loud", "-loud"}, {"call -timeout soon", "soon"},
		{"call -timeout -1s x", "negative"}, {"load -for -1s", "negative"}, {"serve -idle -1s", "negative"},
		{"call -version new x", `"new"`},
		{"load -callers 0", "-callers"}, {"load -callers -1", "-callers"},
		{"call -callers 2 x", "-callers"}, {"call -for 1s x", "-for"}, {"call -ready 3 x", "-ready"},
		{"load -ready 3", "-ready"},
		{"status x", `"x"`}, {"stop x y", `"x y"`}, {"replace x", `"x"`}, {"load x", `"x"`}, {"serve x", `"x"`},
	} {
		args := strings.Fields(c.args)
		if len(args) > 1 {
			args = append([]string{args[0], "-dir", s.dir}, args[1:]...)
		}
		code, out, said := runHere(t, args...)
		if code != 2 || out != "" || !strings.Contains(said, c.said) {
			t.Errorf("%q: exit code %d, %q, %q; want %s named", args, code, out, said, c.said)
		}
	}
	if made, err := os.ReadDir(s.dir); len(made) > 0 || err != nil {
		t.Errorf("made %v, %v", made, err)
	}
	code, out, _ := runHere(t, "call", "-json", "-callers", "2")
	var got struct{ Error string }
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.Error == "" || code != 2 {
		t.Errorf("with -json: exit code %d, %q", code, out)
	}
}

func TestKindOf(t *testing.T) {
	for kind, err := range map[string]error{
		"interrupted": context.Canceled, "timeout": context.DeadlineExceeded, "wedged": ipc.ErrWedged,
		"not running": ipc.ErrNotRunning, "busy": ipc.ErrBusy, "draining": ipc.ErrDraining,
		"other": errors.New("unheard of"),
	} {
		if got := kindOf(fmt.Errorf("call: %w", err)); got != kind {
			t.Errorf("%v is of kind %s, want %s", err, got, kind)
		}
	}
}

// TestVersions compares whole numbers, those far apart too.
func TestVersions(t *testing.T) {
	sorted := []string{strconv.Itoa(math.MinInt), "-1", "0", "1", strconv.Itoa(math.MaxInt)}
	for i, a := range sorted {
		for j, b := range sorted {
			if got, err := compareVersions(a, b); cmp.Compare(got, 0) != cmp.Compare(i, j) || err != nil {
				t.Errorf("%s and %s: %d, %v", a, b, got, err)
			}
		}
	}
	if _, err := compareVersions("1", "new"); err == nil {
		t.Error("a word is a version")
	}
}
