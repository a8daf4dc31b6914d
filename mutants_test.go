//go:build long && !windows

package larder_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

var (
	mutantCount = flag.Int("mutants", 10, "how many changes TestMutants tries, chosen at random; 0 is all")
	mutantMatch = flag.String("mutant", "", "TestMutants tries only the changes whose first line matches this `regexp`, and all of them")
)

// TestMutants takes fsyncs, checksums, leases and other checks out of the source, one at a time, and demands that a test
// fails. It takes a sample; this takes all:
//
//	go test -run '^TestMutants$' -timeout 0 -tags long . -mutants 0
func TestMutants(t *testing.T) {
	all := readMutants(t)
	match := regexp.MustCompile(*mutantMatch)
	chosen := slices.DeleteFunc(slices.Clone(all), func(m *mutant) bool { return !match.MatchString(m.title) })
	if n := *mutantCount; *mutantMatch == "" && 0 < n && n < len(all) {
		testkit.Rand(t).Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		chosen = chosen[:n]
	}
	t.Logf("%d of %d changes", len(chosen), len(all))
	for _, m := range all {
		if _, err := m.source(); err != nil {
			t.Error(err)
		}
	}
	for _, m := range chosen {
		t.Run(m.title, m.try)
	}
}

// mutant is a change that a test must notice. In testdata/mutants.txt it is the file and what is taken out of it; the package and the
// name of the test; and the change as a diff shows it. An empty line ends it, and lines that begin with # count nowhere.
type mutant struct {
	title     string
	file      string
	test      []string // package, name
	old, with string
}

func readMutants(t *testing.T) (list []*mutant) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "mutants.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var m *mutant
	for line := range strings.Lines(string(text)) {
		mark, rest := line[0], line[1:]
		switch {
		case mark == '#':
		case mark == '\n':
			m = nil
		case m == nil:
			m = &mutant{title: strings.TrimSpace(line)}
			m.file, _, _ = strings.Cut(m.title, ":")
			list = append(list, m)
		case m.test == nil:
			m.test = strings.Fields(line)
		case mark == '-':
			m.old += rest
		case mark == '+':
			m.with += rest
		default:
			m.old, m.with = m.old+rest, m.with+rest
		}
	}
	if len(list) == 0 {
		t.Fatal("no changes")
	}
	return list
}

// source returns the changed file.
func (m *mutant) source() ([]byte, error) {
	b, err := os.ReadFile(m.file)
	// A change may begin and end within a line.
	old, with := strings.TrimSuffix(m.old, "\n"), strings.TrimSuffix(m.with, "\n")
	if n := bytes.Count(b, []byte(old)); err == nil && (n != 1 || old == "" || len(m.test) != 2) {
		err = fmt.Errorf("%s: the text is there %d times, not once; the test is %q", m.title, n, m.test)
	}
	return bytes.Replace(b, []byte(old), []byte(with), 1), err
}

func (m *mutant) try(t *testing.T) {
	source, err := m.source()
	if err != nil {
		return // told of already
	}
	file, err := filepath.Abs(m.file)
	if err != nil {
		t.Fatal(err)
	}
	changed, overlay := filepath.Join(t.TempDir(), "changed.go"), filepath.Join(t.TempDir(), "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
	if err = errors.Join(err, os.WriteFile(changed, source, 0o666), os.WriteFile(overlay, replace, 0o666)); err != nil {
		t.Fatal(err)
	}
	var out []byte
	for range mutantTries {
		cmd := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlay, "-vet=off", "-count=1", "-timeout=3m",
			"-run=^"+m.test[1]+"$")
		cmd.Dir = m.test[0] // it may be of a nested module
		out, err = cmd.CombinedOutput()
		_, failed := errors.AsType[*exec.ExitError](err)
		switch {
		case failed && bytes.Contains(out, []byte("[build failed]")):
			t.Errorf("does not compile:\n%.2000s", out)
			return
		case failed:
			return
		}
	}
	t.Errorf("%q does not fail: %v\n%s", m.test, err, out)
}

// mutantTries is how often a test may pass before it is said to miss a change: many take what they do at random.
const mutantTries = 3
