package buildabi_test

import (
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

// TestAppendAllocatesNothing encodes one message of each kind into a buffer that has room.
func TestAppendAllocatesNothing(t *testing.T) {
	index := smallIndex(buildabi.V3)
	buffer := make([]byte, 0, 1<<12)
	for _, m := range []buildabi.Message{
		hello(255), &buildabi.StatusUpdate{}, &buildabi.StepUpdate{}, index, coverage(1, 1),
		entries(0, 1), &buildabi.GenericResult{},
		&buildabi.CompileResult{PassTimings: "text", Files: []string{"a"},
			Decls: []buildabi.Decl{{Name: "b"}}},
		&buildabi.RunTestResult{Tests: []buildabi.Test{{Name: "a"}}},
	} {
		if n := testing.AllocsPerRun(100, func() { m.AppendBinary(buffer) }); n != 0 {
			t.Errorf("%T: %v allocations", m, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { buildabi.Rebuild{}.AppendBinary(buffer) }); n != 0 {
		t.Errorf("Rebuild: %v allocations", n)
	}
}

// TestParseShares shows that a message has no memory in common with the bytes that it came from.
func TestParseShares(t *testing.T) {
	for _, file := range goldenFiles() {
		for _, c := range readGolden(t, file) {
			m, err := buildabi.Parse(file.version, c.Bytes)
			if err != nil {
				continue // none to a client
			}
			want := string(c.Bytes)
			clear(c.Bytes)
			if got := encode(t, m); string(got) != want {
				t.Errorf("%s: encodes to %x after its bytes were cleared", c.Case, got)
			}
		}
	}
}

func TestSourceIndexPath(t *testing.T) {
	var m buildabi.SourceIndex
	a, b, c := m.AddFile("/p", "a.zig"), m.AddFile("/p", "b.zig"), m.AddFile("", "c.zig")
	if len(m.Directories) != 2 {
		t.Errorf("%d directories for two names", len(m.Directories))
	}
	for _, want := range []struct {
		file                uint32
		directory, basename string
	}{
		{a, "/p", "a.zig"}, {b, "/p", "b.zig"}, {c, "", "c.zig"}, {3, "", ""},
	} {
		directory, basename := m.Path(want.file)
		if directory != want.directory || basename != want.basename {
			t.Errorf("file %d is %q in %q", want.file, basename, directory)
		}
	}
	m.Files[0] = buildabi.File{Directory: 9, Basename: 999}
	if directory, basename := m.Path(a); directory != "" || basename != "" {
		t.Errorf("indices out of range name %q in %q", basename, directory)
	}
}

func BenchmarkAppend(b *testing.B) {
	statuses := hello(255)
	covered := &buildabi.CoverageUpdate{Covered: buildabi.NewBits(1_000_000)}
	for name, m := range map[string]buildabi.Message{
		"hello=255": statuses, "coverage=1000000": covered,
	} {
		b.Run(name, func(b *testing.B) {
			buffer := make([]byte, 0, 1<<20)
			b.ReportAllocs()
			for b.Loop() {
				m.AppendBinary(buffer)
			}
		})
	}
}
