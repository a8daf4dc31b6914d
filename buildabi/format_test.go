package buildabi_test

import (
	"encoding"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/seenpcs"
)

// examples are the bytes of the page's examples, by the headings that they are under.
func examples(t *testing.T, page string) map[string]string {
	t.Helper()
	all := map[string]string{}
	heading, inside, digits := "", false, ""
	for line := range strings.Lines(page) {
		switch {
		case strings.HasPrefix(line, "```"):
			if inside = !inside; inside {
				digits = ""
			} else if all[heading] != "" {
				t.Errorf("%s has two examples", heading)
			} else {
				all[heading] = digits
			}
		case inside:
			bytes, _, _ := strings.Cut(line, "  ")
			digits += strings.Join(strings.Fields(bytes), "")
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
	}
	return all
}

// exampleOf is what the page's examples say.
func exampleOf() map[string]encoding.BinaryAppender {
	hello := &buildabi.Hello{Status: buildabi.Building, TimeReport: true, Timestamp: 1_500_000_000,
		Steps: []string{"a", "bb"}, Statuses: buildabi.NewStatuses(2)}
	hello.Statuses.Set(0, buildabi.Running)
	hello.Statuses.Set(1, buildabi.Failure)
	reached := coverage(1000, 0)
	reached.UniqueRuns = 17
	reached.Covered.Set(1)
	return map[string]encoding.BinaryAppender{
		"Hello": hello, "StatusUpdate": &buildabi.StatusUpdate{},
		"StepUpdate":  &buildabi.StepUpdate{Step: 4, Status: buildabi.Failure},
		"SourceIndex": smallIndex(buildabi.V1), "CoverageUpdate": reached, "EntryPoints": entries(1),
		"GenericResult": &buildabi.GenericResult{Step: 3, Total: 123_456_789},
		"CompileResult": &buildabi.CompileResult{Step: 1, Stats: buildabi.Stats{
			ReachableFiles: 212, ImportedFiles: 187, GenericInstances: 3450, InlineCalls: 12,
			CPUParse: 1e6, CPUAstGen: 2e6, CPUSema: 300e6, CPUCodegen: 40e6, CPULink: 5e6,
			Files: 4e6, Decls: 350e6, LinkFlush: 6e6}, Total: 380e6, Files: []string{"main.zig", "std.zig"},
			Decls: []buildabi.Decl{{Name: "main.main", SemaCount: 1, Sema: 1e6, Codegen: 200e3,
				Link: 30e3}}},
		"RunTestResult": &buildabi.RunTestResult{Step: 2, Tests: []buildabi.Test{{Name: "a", Time: 1000},
			{Name: "bc", Time: buildabi.NotRun}}},
		"Rebuild": buildabi.Rebuild{},
		"The coverage file": &seenpcs.File{Runs: 1000, UniqueRuns: 17, PCs: []uint64{0x201000, 0x201010},
			Hits: buildabi.Bits{1, 0, 0, 0, 0, 0, 0, 0}},
	}
}

// TestFormatPage holds the page's examples, its table of messages and its names of fields against
// the code.
func TestFormatPage(t *testing.T) {
	b, err := os.ReadFile("FORMAT.md")
	must(t, err)
	page := string(b)
	t.Run("examples", func(t *testing.T) {
		found := examples(t, page)
		for name, m := range exampleOf() {
			want, err := m.AppendBinary(nil)
			must(t, err)
			if got := found[name]; got != hex.EncodeToString(want) {
				t.Errorf("the example of %s is\n%s, encoded\n%x", name, got, want)
			}
		}
		if len(found) != len(exampleOf()) {
			t.Errorf("%d examples, want %d", len(found), len(exampleOf()))
		}
	})
	t.Run("fields", func(t *testing.T) {
		for _, c := range refusals() {
			if !strings.Contains(page, c.message) && c.message != "Message" {
				t.Errorf("the page does not name %s", c.message)
			}
			known := c.field == "end" || c.field == "fixed part"
			if !known && !strings.Contains(page, "`"+c.field+"`") {
				t.Errorf("the page does not name field %s of %s", c.field, c.message)
			}
		}
	})
	t.Run("messages", func(t *testing.T) { checkFormatTable(t, page) })
}

// checkFormatTable compares the tags and the sizes of messages without content.
func checkFormatTable(t *testing.T, page string) {
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
