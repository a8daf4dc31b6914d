//go:build zig

package buildabi_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/internal/testkit"
)

// The tests of this file hold the package against a real Zig of version 0.15 or 0.16 and its own
// client, which runs in Node:
//
//	go test -tags zig -run Zig ./buildabi -zig .../ziglang/zig -zigcache DIR
//
// With -zigrecord they write what that client does with traps into testdata.
var (
	zigPath  = flag.String("zig", "zig", "the `compiler`; its lib folder is beside it")
	zigCache = flag.String("zigcache", "", "`folder` that keeps what it compiles")

	zigRecord = flag.Bool("zigrecord", false, "record what its client does, too")
)

// zig is the compiler under test.
type zig struct {
	path, lib, cache string
	name             string // its version
	version          buildabi.Version
}

func findZig(t *testing.T) *zig {
	t.Helper()
	path, err := exec.LookPath(*zigPath)
	must(t, err)
	path, err = filepath.EvalSymlinks(path)
	must(t, err)
	z := &zig{path: path, lib: filepath.Join(filepath.Dir(path), "lib"), cache: *zigCache}
	if z.cache == "" {
		z.cache = t.TempDir()
	}
	z.name = strings.TrimSpace(string(output(t, exec.CommandContext(t.Context(), path, "version"))))
	if !strings.HasPrefix(z.name, "0.15.") {
		z.version = buildabi.V3
	}
	return z
}

// output runs a command and returns what it printed; it has to succeed.
func output(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, &stderr)
	}
	return b
}

// client compiles Zig's own client, once for each mode.
func (z *zig) client(t *testing.T, mode string) string {
	t.Helper()
	wasm := filepath.Join(z.cache, "client-"+z.name+"-"+mode+".wasm")
	if _, err := os.Stat(wasm); err == nil {
		return wasm
	}
	source := func(name string) string { return filepath.Join(z.lib, filepath.FromSlash(name)) }
	output(t, exec.CommandContext(t.Context(), z.path, "build-exe", "-fno-entry", "-O", mode,
		"-target", "wasm32-freestanding", "-mcpu", "baseline+atomics+bulk_memory+multivalue"+
			"+mutable_globals+nontrapping_fptoint+reference_types+sign_ext",
		"--cache-dir", z.cache, "--global-cache-dir", z.cache, "--name", "build-web", "-rdynamic",
		"-fsingle-threaded", "-femit-bin="+wasm, "--dep", "Walk", "--dep", "html_render",
		"-Mroot="+source("build-web/main.zig"), "-MWalk="+source("docs/wasm/Walk.zig"),
		"--dep", "Walk", "-Mhtml_render="+source("docs/wasm/html_render.zig")))
	return wasm
}

// zigSession is what a client is told, and zigResult what it makes of it; see client.mjs.
type (
	zigSession struct {
		Messages []zigMessage `json:"msgs"`
		Sources  string       `json:"sources,omitempty"`
		Select   int          `json:"select"`
	}
	zigMessage struct {
		At  float64 `json:"at"`
		Hex string  `json:"hex"`
	}
	zigResult struct {
		Status int
		Steps  []int
		Names  []string
		// Reports has a digest of what is shown of the last report of a step.
		Reports map[string]string
		Stats   string
		Source  string
		Error   string
		After   int
	}
)

func (s *zigSession) add(at float64, b []byte) {
	s.Messages = append(s.Messages, zigMessage{at, hex.EncodeToString(b)})
}

// play plays sessions to a client in Node.
func play(t *testing.T, wasm string, sessions []zigSession) (results []zigResult) {
	t.Helper()
	var in bytes.Buffer
	for _, s := range sessions {
		must(t, json.NewEncoder(&in).Encode(s))
	}
	cmd := exec.CommandContext(t.Context(), "node", "testdata/client.mjs", wasm)
	cmd.Stdin = &in
	out := json.NewDecoder(bytes.NewReader(output(t, cmd)))
	for range sessions {
		var r zigResult
		must(t, out.Decode(&r))
		results = append(results, r)
	}
	return results
}

// TestZigLayout holds the recorded layouts, and with them the codec's tables, against this Zig.
func TestZigLayout(t *testing.T) {
	z := findZig(t)
	cmd := exec.CommandContext(t.Context(), z.path, "run", "--cache-dir", z.cache,
		"--global-cache-dir", z.cache, "testdata/layout.zig")
	var printed bytes.Buffer
	cmd.Stderr = &printed
	must(t, cmd.Run())
	type layout struct {
		Type   string
		Size   int
		Fields []struct {
			Name   string
			Offset int
		}
	}
	name := map[buildabi.Version]string{buildabi.V1: "0.15.1", buildabi.V3: "0.16"}[z.version]
	var recorded []layout
	must(t, json.Unmarshal(readFile(t, "testdata/layout-"+name+".json"), &recorded))
	types := strings.Split(strings.TrimSpace(printed.String()), "\n")
	for _, line := range types {
		var real layout
		must(t, json.Unmarshal([]byte(line), &real))
		i := slices.IndexFunc(recorded, func(l layout) bool { return l.Type == real.Type })
		if i < 0 || fmt.Sprint(recorded[i]) != fmt.Sprint(real) {
			t.Errorf("%s is laid out as %+v", real.Type, real)
		}
	}
	if want := 12 + int(z.version); len(types) != want {
		t.Errorf("%d types, want %d", len(types), want)
	}
}

// TestZigClient plays what boards sent after any calls: the client stumbles over none of it, and
// shows the same as we do.
func TestZigClient(t *testing.T) {
	z := findZig(t)
	rand := testkit.Rand(t)
	var sessions []zigSession
	var screens []screen
	for range 300 {
		b := testkit.Bytes(rand, 200+rand.IntN(1500))
		synctest.Test(t, func(t *testing.T) {
			for _, passes := range playBoard(t, z.version, b) {
				var shown screen
				shown.show(passes)
				if shown.hello == nil {
					continue
				}
				screens = append(screens, shown)
				sessions = append(sessions, sessionOf(passes))
			}
		})
	}
	for _, mode := range []string{"Debug", "ReleaseSmall"} {
		coverage := 0
		for i, r := range play(t, z.client(t, mode), sessions) {
			if want := screens[i].shown(); r.Error != "" || r.shown() != want {
				t.Errorf("%s: session %d: after %d messages %s; shows\n%s, want\n%s",
					mode, i, r.After, r.Error, r.shown(), want)
			}
			if r.Stats != "" {
				coverage++
			}
		}
		t.Logf("%s: %d sessions, %d of them with coverage", mode, len(sessions), coverage)
		if coverage == 0 {
			t.Error("no session had coverage")
		}
	}
}

func sessionOf(passes []pass) (s zigSession) {
	for _, p := range passes {
		for _, b := range p.raw {
			s.add(float64(p.at)/1e6, b)
		}
	}
	return s
}

// shown is what both clients can tell of the steps.
func (r *zigResult) shown() string { return fmt.Sprintf("%d %q %v", r.Status, r.Names, r.Steps) }

// counts is what is shown of coverage, without the speed: that depends on when it is shown.
func (r *zigResult) counts() string { return r.Stats[:max(strings.LastIndexByte(r.Stats, ' '), 0)] }

func (s *screen) shown() string {
	r := zigResult{Status: int(s.status), Names: s.hello.Steps, Steps: []int{}}
	for i := range s.hello.Steps {
		r.Steps = append(r.Steps, int(s.hello.Statuses.Get(i)))
	}
	return r.shown()
}

// TestZigRecordings plays what real servers sent, and what a board sends when the same build is
// played through it: the client shows the same of both in the end, reports included.
func TestZigRecordings(t *testing.T) {
	z := findZig(t)
	var names []string
	var sessions []zigSession // the recorded one and ours, in turn
	for _, rec := range readRecordings(t) {
		if rec.version != z.version {
			continue
		}
		var real zigSession
		for _, line := range rec.records {
			if line.Dir == "s2c" {
				real.add(line.Time, line.Bytes)
			}
		}
		synctest.Test(t, func(t *testing.T) {
			sessions = append(sessions, real, sessionOf(playRecording(t, rec)))
		})
		names = append(names, rec.name)
	}
	results, reports := play(t, z.client(t, "Debug"), sessions), 0
	for i, name := range names {
		real, ours := &results[2*i], &results[2*i+1]
		if real.Error != "" || ours.Error != "" {
			t.Errorf("%s: after %d messages %s; played through a board after %d %s",
				name, real.After, real.Error, ours.After, ours.Error)
		}
		if got, want := ours.shown(), real.shown(); got != want {
			t.Errorf("%s: shows\n%s, want\n%s", name, got, want)
		}
		if !maps.Equal(ours.Reports, real.Reports) {
			t.Errorf("%s: reports are\n%v, want\n%v", name, ours.Reports, real.Reports)
		}
		if got, want := ours.counts(), real.counts(); got != want ||
			(want != "") != strings.HasPrefix(name, "fuzz") {
			t.Errorf("%s: coverage is %q, want %q", name, got, want)
		}
		reports += len(real.Reports)
	}
	if reports == 0 {
		t.Error("no recording has a report")
	}
}

// TestZigTraps plays what a client may stumble over, and compares what it does with the record.
func TestZigTraps(t *testing.T) {
	z := findZig(t)
	rows := trapSessions(t, z.version)
	var sessions []zigSession
	for _, row := range rows {
		sessions = append(sessions, z.trapSession(row))
	}
	strict := play(t, z.client(t, "Debug"), sessions)
	release := play(t, z.client(t, "ReleaseSmall"), sessions)
	for i := range rows {
		rows[i].Debug, rows[i].Release = strict[i].Error, release[i].Error
		for _, r := range []zigResult{strict[i], release[i]} {
			if r.Error != "" && r.After != len(sessions[i].Messages)-1 {
				t.Errorf("%s: stumbled after %d messages: %s", rows[i].Case, r.After, r.Error)
			}
		}
	}
	if *zigRecord {
		must(t, os.WriteFile(trapsFile(z.version), lines(t, rows), 0o644))
	}
	var recorded []trapped
	must(t, json.Unmarshal(readFile(t, trapsFile(z.version)), &recorded))
	if len(recorded) != len(rows) {
		t.Fatalf("%d traps recorded, want %d", len(recorded), len(rows))
	}
	for i, row := range rows {
		if recorded[i].Debug != row.Debug || recorded[i].Release != row.Release {
			t.Errorf("%s: the client says %q, in release %q; recorded %q, %q", row.Case, row.Debug,
				row.Release, recorded[i].Debug, recorded[i].Release)
		}
	}
}

// trapSession lets the messages from the source index on come when that says that fuzzing began.
func (z *zig) trapSession(row trapped) (s zigSession) {
	var began, now int64
	for _, b := range row.Session {
		m, _ := buildabi.Parse(z.version, b)
		switch m := m.(type) {
		case *buildabi.Hello:
			began, now = m.Timestamp, 0
		case *buildabi.SourceIndex:
			now = max(m.Start-began, 0)
		}
		s.add(float64(now)/1e6, b)
	}
	return s
}

// lines is an array in JSON with each element on a line of its own.
func lines(t *testing.T, rows []trapped) []byte {
	t.Helper()
	var all []string
	for _, row := range rows {
		b, err := json.Marshal(row)
		must(t, err)
		all = append(all, string(b))
	}
	return []byte("[\n" + strings.Join(all, ",\n") + "\n]\n")
}

// TestZigSources unpacks our archive in the client, and opens each of its files.
func TestZigSources(t *testing.T) {
	z := findZig(t)
	files := [][2]string{{"/p/src", "root.zig"}, {"/p/src", strings.Repeat("long", 60) + ".zig"},
		{"/z", "ü.zig"}, {"/p/" + strings.Repeat("d/", 70) + "x", "deep.zig"}, {"", "top.zig"}}
	var index buildabi.SourceIndex
	fsys := fstest.MapFS{}
	for i, f := range files {
		at := index.AddFile(f[0], f[1])
		index.Locations = append(index.Locations, buildabi.Location{File: at, Line: 2, Column: 5})
		fsys[strings.TrimPrefix(f[0]+"/"+f[1], "/")] = &fstest.MapFile{
			Data: fmt.Appendf(nil, "pub fn number%d() void {\n    return;\n}\n", i)}
	}
	b := buildabi.NewBoard(&buildabi.BoardOptions{Version: z.version})
	f, err := b.StartBuild("a").StartFuzz()
	must(t, err)
	must(t, f.SetIndex(&index))
	h := buildabi.NewHandler(b, &buildabi.HandlerOptions{Sources: sourceFS(fsys)})
	archive := get(h, "GET", "/sources.tar").Body.Bytes()
	index.Version = z.version
	var sessions []zigSession
	for i := range files {
		s := zigSession{Sources: hex.EncodeToString(archive), Select: i}
		covered := coverage(5, i) // one word is enough for these files
		for _, m := range []buildabi.Message{hello(1), &index, covered, entries(0, 1)} {
			s.add(1000, encode(t, m))
		}
		sessions = append(sessions, s)
	}
	for i, r := range play(t, z.client(t, "Debug"), sessions) {
		if want := fmt.Sprintf("number%d", i); r.Error != "" || !strings.Contains(r.Source, want) {
			t.Errorf("%s: shows %q, %s", files[i][1], r.Source, r.Error)
		}
	}
}
