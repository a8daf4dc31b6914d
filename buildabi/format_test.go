package buildabi_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

// TestFormatPage holds the page's example, its table of messages and its names of fields against
// the code.
func TestFormatPage(t *testing.T) {
	b, err := os.ReadFile("FORMAT.md")
	must(t, err)
	page := string(b)
	example := regexp.MustCompile("(?s)```\n(.*?)```").FindStringSubmatch(page)[1]
	var digits strings.Builder
	for line := range strings.Lines(example) {
		bytes, _, _ := strings.Cut(line, "  ")
		digits.WriteString(strings.ReplaceAll(bytes, " ", ""))
	}
	want, err := hex.DecodeString(digits.String())
	must(t, err)
	m := &buildabi.Hello{Status: buildabi.Building, TimeReport: true, Timestamp: 1_500_000_000,
		Steps: []string{"a", "bb"}, Statuses: buildabi.NewStatuses(2)}
	m.Statuses.Set(0, buildabi.Running)
	m.Statuses.Set(1, buildabi.Failure)
	if got := encode(t, m); !bytes.Equal(got, want) {
		t.Errorf("the example is %x, encoded %x", want, got)
	}
	for _, c := range refusals() {
		if !strings.Contains(page, c.message) && c.message != "Message" {
			t.Errorf("the page does not name %s", c.message)
		}
		known := c.field == "end" || c.field == "fixed part"
		if !known && !strings.Contains(page, "`"+c.field+"`") {
			t.Errorf("the page does not name field %s of %s", c.field, c.message)
		}
	}
	for tag, m := range []buildabi.Message{&buildabi.Hello{}, &buildabi.StatusUpdate{},
		&buildabi.StepUpdate{}, &buildabi.SourceIndex{}, &buildabi.CoverageUpdate{},
		&buildabi.EntryPoints{}, &buildabi.GenericResult{}, &buildabi.CompileResult{},
		&buildabi.RunTestResult{}} {
		name := strings.TrimPrefix(fmt.Sprintf("%T", m), "*buildabi.")
		row := fmt.Sprintf("| %d | [%s](#%s)", tag, name, strings.ToLower(name))
		i := strings.Index(page, row)
		if i < 0 {
			t.Fatalf("the page has no row %q", row)
		}
		line, _, _ := strings.Cut(page[i:], "\n")
		if size := fmt.Sprint(len(encode(t, m))); !strings.Contains(line, "| "+size) {
			t.Errorf("the row %q has not the size %s", line, size)
		}
	}
}
