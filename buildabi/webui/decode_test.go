//go:build long

package webui_test

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

// decodeScript gives one line for each message, with everything in it.
const decodeScript = `import("./abi.js").then(({ decode }) => %s.map((text) => {
	const m = decode(Uint8Array.from(text.match(/../g) ?? [], (b) => parseInt(b, 16)).buffer);
	switch (m.type) {
	case "hello": return [m.status, m.timeReport, m.timestamp, ...m.steps.flatMap((s) => [s.name, s.status])];
	case "status": return [m.status];
	case "step": return [m.step, m.status];
	case "time": return [m.step, m.total];
	case "tests": return [m.step, ...m.tests.flatMap((t) => [t.name, t.time ?? "not run"])];
	case "compile": return [m.step, m.llvm, m.total, ...m.counts, ...m.times, m.passes.length,
		...m.decls.flatMap((d) => [d.name, d.file, d.count, d.analysis, d.code, d.link])];
	case "index": return [m.start, m.startRuns, ...m.files, ...m.locations.flatMap((l) => [l.file, l.line, l.column])];
	case "coverage": return [m.runs, m.uniqueRuns, ...m.bits];
	case "entries": return m.locations;
	default: return [m.type];
	}
}).map((line) => line.join("|")))`

// TestDecode compares what the page makes of the messages of real builds with what Parse does.
func TestDecode(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	b.open(h.address)
	files, err := filepath.Glob("../testdata/recordings/*.jsonl.gz")
	if must(t, err); len(files) == 0 {
		t.Fatal("no recordings")
	}
	for _, file := range files {
		version := buildabi.V1
		if strings.Contains(file, "0.16") {
			version = buildabi.V3
		}
		messages, want := recorded(t, file, version)
		list, err := json.Marshal(messages)
		must(t, err)
		var got []string
		b.run(&got, decodeScript, list)
		if len(got) != len(want) {
			t.Fatalf("%s: %d messages, want %d", file, len(got), len(want))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s, message %d:\ngot  %.200s\nwant %.200s", file, i, got[i], want[i])
			}
		}
	}
	b.quiet()
}

// recorded returns the messages of a recording in hexadecimal digits, and the lines wanted.
func recorded(t *testing.T, file string, v buildabi.Version) (messages, lines []string) {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	r, err := gzip.NewReader(bufio.NewReader(f))
	must(t, err)
	for d := json.NewDecoder(r); d.More(); {
		var frame struct{ Dir, Hex string }
		must(t, d.Decode(&frame))
		if frame.Dir != "s2c" {
			continue
		}
		bytes, err := hex.DecodeString(frame.Hex)
		must(t, err)
		m, err := buildabi.Parse(v, bytes)
		must(t, err)
		messages, lines = append(messages, frame.Hex), append(lines, line(m))
	}
	return messages, lines
}

// line is what decodeScript gives for a message.
func line(m buildabi.Message) string {
	var parts []any
	add := func(more ...any) { parts = append(parts, more...) }
	build := []string{"idle", "watching", "running", "fuzzing starts"}
	step := []string{"pending", "running", "done", "failed"}
	switch m := m.(type) {
	case *buildabi.Hello:
		add(build[m.Status], m.TimeReport, m.Timestamp)
		for i, name := range m.Steps {
			add(name, step[m.Statuses.Get(i)])
		}
	case *buildabi.StatusUpdate:
		add(build[m.New])
	case *buildabi.StepUpdate:
		add(m.Step, step[m.Status])
	case *buildabi.GenericResult:
		add(m.Step, m.Total)
	case *buildabi.RunTestResult:
		add(m.Step)
		for _, test := range m.Tests {
			add(test.Name, test.Time)
		}
	case *buildabi.CompileResult:
		s := &m.Stats
		add(m.Step, m.UseLLVM, m.Total, s.ReachableFiles, s.ImportedFiles, s.GenericInstances,
			s.InlineCalls, s.CPUParse, s.CPUAstGen, s.CPUSema, s.CPUCodegen, s.CPULink,
			s.Files, s.Decls, s.LLVMEmit, s.LinkFlush, len(m.PassTimings))
		for _, d := range m.Decls {
			add(d.Name, m.Files[d.File], d.SemaCount, d.Sema, d.Codegen, d.Link)
		}
	case *buildabi.SourceIndex:
		add(m.Start, m.StartRuns)
		for i := range m.Files {
			directory, basename := m.Path(uint32(i))
			add(directory + "/" + basename)
		}
		for _, l := range m.Locations {
			add(l.File, l.Line, l.Column)
		}
	case *buildabi.CoverageUpdate:
		add(m.Runs, m.UniqueRuns)
		for _, b := range m.Covered {
			add(b)
		}
	case *buildabi.EntryPoints:
		for _, l := range m.Locations {
			add(l)
		}
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = fmt.Sprint(p)
	}
	return strings.Join(texts, "|")
}
