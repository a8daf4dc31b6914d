//go:build zig && unix

package webui_test

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/webui"
)

// The test of this file follows a real Zig of version 0.15 or 0.16:
//
//	go -C buildabi/webui test -tags zig -run Zig . -zig .../ziglang/zig -zigcache DIR
var (
	zigPath  = flag.String("zig", "zig", "the `compiler`")
	zigCache = flag.String("zigcache", "", "`folder` that keeps what it compiles")
)

const zigBuild = `const std = @import("std");

pub fn build(b: *std.Build) void {
    const root = b.createModule(.{
        .root_source_file = b.path("main.zig"),
        .target = b.graph.host,
        .optimize = .Debug,
    });
    const program = b.addExecutable(.{ .name = "program", .root_module = root });
    b.installArtifact(program);
    b.default_step.dependOn(&b.addRunArtifact(program).step);
    b.default_step.dependOn(&b.addRunArtifact(b.addTest(.{ .root_module = root })).step);
}
`

const zigMain = `pub fn main() void {}

test "one" {}
`

const fuzzBuild = `const std = @import("std");

pub fn build(b: *std.Build) void {
    const root = b.createModule(.{
        .root_source_file = b.path("main.zig"),
        .target = b.graph.host,
        .optimize = .Debug,
        .error_tracing = false, // 0.16 does not fuzz with it
    });
    const tests = b.addTest(.{ .root_module = root, .use_llvm = true });
    b.default_step.dependOn(&b.addRunArtifact(tests).step);
}
`

const fuzzMain = `const std = @import("std");

const Input = if (@hasDecl(std.testing, "Smith")) *std.testing.Smith else []const u8;

fn one(_: void, _: Input) anyerror!void {}

test "fuzz" {
    try std.testing.fuzz({}, one, .{});
}
`

// startZig starts a build with its web interface and returns the address.
func startZig(t *testing.T, build, main string, args ...string) (address string, v buildabi.Version) {
	t.Helper()
	version, err := exec.CommandContext(t.Context(), *zigPath, "version").Output()
	must(t, err)
	if !strings.HasPrefix(string(version), "0.15.") {
		v = buildabi.V3
	}
	dir, cache := t.TempDir(), *zigCache
	if cache == "" {
		cache = t.TempDir()
	}
	must(t, os.WriteFile(filepath.Join(dir, "build.zig"), []byte(build), 0o600),
		os.WriteFile(filepath.Join(dir, "main.zig"), []byte(main), 0o600))
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, *zigPath, append([]string{"build", "--webui=" + freeAddress(t),
		"--global-cache-dir", cache, "--cache-dir", filepath.Join(dir, "cache")}, args...)...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second // its children keep the pipe
	stopProcesses(cmd)
	out, err := cmd.StderrPipe()
	must(t, err, cmd.Start())
	t.Cleanup(func() {
		stop()
		cmd.Wait() // fails, as it was killed
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, found, ok := strings.Cut(lines.Text(), "listening at "); ok {
			return found, v
		}
		t.Log(lines.Text())
	}
	t.Fatal("the web interface does not listen")
	return "", v
}

// freeAddress is one that nothing listens at just now: 0.15 does not take port 0.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// follow reads until a message is the last, and holds every one against its own bytes.
func follow(t *testing.T, ws *websocket.Conn, r *buildabi.Reader, seen map[string]int, last func(buildabi.Message) bool) {
	t.Helper()
	for {
		_, b, err := ws.Read(t.Context())
		must(t, err)
		m, findings, err := r.Next(b)
		must(t, err)
		again, err := m.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, b) || len(findings) > 0 {
			t.Errorf("%T of\n%x encodes to\n%x, %v, findings %q", m, b, again, err, findings)
		}
		seen[fmt.Sprintf("%T", m)]++
		if last(m) {
			return
		}
	}
}

func isIdle(m buildabi.Message) bool {
	s, ok := m.(*buildabi.StatusUpdate)
	return ok && s.New == buildabi.Idle
}

// TestZigServer watches a real build, asks for another, and connects once more when that is over.
func TestZigServer(t *testing.T) {
	address, v := startZig(t, zigBuild, zigMain, "--time-report")
	ws, _, err := websocket.Dial(t.Context(), address, nil)
	must(t, err)
	defer ws.CloseNow()
	ws.SetReadLimit(1 << 28)
	r, seen := buildabi.NewReader(v), map[string]int{}
	follow(t, ws, r, seen, isIdle)
	must(t, ws.Write(t.Context(), websocket.MessageBinary, []byte{0}))
	follow(t, ws, r, seen, isIdle)
	t.Logf("%v", seen)
	want := []string{"Hello", "StatusUpdate", "StepUpdate", "GenericResult", "CompileResult"}
	if v == buildabi.V3 {
		want = append(want, "RunTestResult")
	}
	for _, kind := range want {
		if seen["*buildabi."+kind] == 0 {
			t.Errorf("no %s came", kind)
		}
	}
	late, err := webui.Dial(t.Context(), address, &webui.DialOptions{Version: v})
	must(t, err)
	m, _, err := late.Next(t.Context())
	must(t, err)
	if hello, ok := m.(*buildabi.Hello); !ok || hello.Status != buildabi.Idle || !hello.TimeReport {
		t.Errorf("a late client is told %+v", m)
	}
	late.Close() // fails: this server does not say goodbye
}

// TestZigFuzz watches a real fuzzer until it has told of everything that there is to tell.
func TestZigFuzz(t *testing.T) {
	address, v := startZig(t, fuzzBuild, fuzzMain, "--fuzz")
	ws, _, err := websocket.Dial(t.Context(), address, nil)
	must(t, err)
	defer ws.CloseNow()
	ws.SetReadLimit(1 << 28)
	seen := map[string]int{}
	follow(t, ws, buildabi.NewReader(v), seen, func(m buildabi.Message) bool {
		_, ok := m.(*buildabi.EntryPoints)
		return ok
	})
	t.Logf("%v", seen)
	for _, kind := range []string{"Hello", "SourceIndex", "CoverageUpdate"} {
		if seen["*buildabi."+kind] == 0 {
			t.Errorf("no %s came", kind)
		}
	}
}
