package buildabi_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

// goldenCase is one message as a real Zig writes it.
type goldenCase struct {
	Message, Case string
	Fields        goldenFields
	Bytes         hexBytes `json:"hex"`
}

// goldenFields are the fields of all kinds of message.
type goldenFields struct {
	Status         uint8
	TimeReport     bool `json:"time_report"`
	Timestamp      int64
	StepNames      []string `json:"step_names"`
	StepStatuses   []uint8  `json:"step_statuses"`
	New            uint8
	StepIdx        uint32 `json:"step_idx"`
	StartTimestamp int64  `json:"start_timestamp"`
	StartRuns      uint64 `json:"start_n_runs"`
	Directories    []string
	Offsets        []uint32            `json:"directory_offsets"`
	Files          []json.RawMessage   // objects or names
	SourceLocs     []buildabi.Location `json:"source_locations"`
	NRuns          uint64              `json:"n_runs"`
	UniqueRuns     uint64              `json:"unique_runs"`
	LocationsLen   int                 `json:"source_locations_len"`
	Covered        []int
	Locs           []uint32
	LocsLen        int    `json:"locs_len"`
	Total          uint64 `json:"ns_total"`
	UseLLVM        bool   `json:"use_llvm"`
	Stats          goldenStats
	Timings        string `json:"llvm_pass_timings"`
	Decls          []goldenDecl
	TestNs         []uint64 `json:"test_ns"`
	TestNames      []string `json:"test_names"`
}

type goldenFile8 struct {
	Directory uint32 `json:"directory_index"`
	Offset    uint32 `json:"basename_offset"`
	Basename  string
}

type goldenStats struct {
	ReachableFiles   uint32 `json:"n_reachable_files"`
	ImportedFiles    uint32 `json:"n_imported_files"`
	GenericInstances uint32 `json:"n_generic_instances"`
	InlineCalls      uint32 `json:"n_inline_calls"`
	CPUParse         uint64 `json:"cpu_ns_parse"`
	CPUAstGen        uint64 `json:"cpu_ns_astgen"`
	CPUSema          uint64 `json:"cpu_ns_sema"`
	CPUCodegen       uint64 `json:"cpu_ns_codegen"`
	CPULink          uint64 `json:"cpu_ns_link"`
	Files            uint64 `json:"real_ns_files"`
	Decls            uint64 `json:"real_ns_decls"`
	LLVMEmit         uint64 `json:"real_ns_llvm_emit"`
	LinkFlush        uint64 `json:"real_ns_link_flush"`
}

type goldenDecl struct {
	Name      string
	File      uint32
	SemaCount uint32 `json:"sema_count"`
	Sema      uint64 `json:"sema_ns"`
	Codegen   uint64 `json:"codegen_ns"`
	Link      uint64 `json:"link_ns"`
}

func readGolden(t testing.TB, f goldenFile) (cases []goldenCase) {
	t.Helper()
	b := readFile(t, "testdata/golden-"+f.name+".json.gz")
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 80 {
		t.Fatalf("found %d cases", len(cases))
	}
	return cases
}

// message makes the message that the fields describe; nil for a case that is none to a client.
func (c *goldenCase) message(t *testing.T, v buildabi.Version) buildabi.Message {
	f := &c.Fields
	switch c.Message {
	case "hello":
		return f.hello(t)
	case "status_update":
		return &buildabi.StatusUpdate{New: buildabi.BuildStatus(f.New)}
	case "step_update":
		return &buildabi.StepUpdate{Step: f.StepIdx, Status: buildabi.StepStatus(f.Status)}
	case "fuzz_source_index":
		return f.sourceIndex(t, v)
	case "fuzz_coverage_update":
		covered := buildabi.NewBits(f.LocationsLen)
		for _, i := range f.Covered {
			if !covered.Set(i) {
				t.Fatalf("no room for bit %d", i)
			}
		}
		return &buildabi.CoverageUpdate{Runs: f.NRuns, UniqueRuns: f.UniqueRuns, Covered: covered}
	case "fuzz_entry_points":
		return &buildabi.EntryPoints{Locations: f.Locs}
	case "time_report_generic_result":
		return &buildabi.GenericResult{Step: f.StepIdx, Total: f.Total}
	case "time_report_compile_result":
		return f.compileResult(t)
	case "time_report_run_test_result":
		tests := make([]buildabi.Test, len(f.TestNs))
		for i := range tests {
			tests[i] = buildabi.Test{Name: f.TestNames[i], Time: f.TestNs[i]}
		}
		return &buildabi.RunTestResult{Step: f.StepIdx, Tests: tests}
	}
	return nil
}

func (f *goldenFields) hello(t *testing.T) buildabi.Message {
	m := &buildabi.Hello{Status: buildabi.BuildStatus(f.Status), TimeReport: f.TimeReport,
		Timestamp: f.Timestamp}
	if len(f.StepNames) > 0 {
		m.Steps = f.StepNames
		m.Statuses = buildabi.NewStatuses(len(f.StepNames))
	}
	for i, s := range f.StepStatuses {
		if !m.Statuses.Set(i, buildabi.StepStatus(s)) {
			t.Fatalf("no room for step %d", i)
		}
	}
	return m
}

func (f *goldenFields) sourceIndex(t *testing.T, v buildabi.Version) buildabi.Message {
	m := &buildabi.SourceIndex{Version: v, Start: f.StartTimestamp, StartRuns: f.StartRuns,
		Directories: f.Offsets, Locations: f.SourceLocs, Files: []buildabi.File{}, Strings: []byte{}}
	for _, d := range f.Directories {
		m.Strings = append(append(m.Strings, d...), 0)
	}
	for _, raw := range f.Files {
		var file goldenFile8
		if err := json.Unmarshal(raw, &file); err != nil {
			t.Fatal(err)
		}
		m.Files = append(m.Files, buildabi.File{Directory: file.Directory, Basename: file.Offset})
		m.Strings = append(append(m.Strings, file.Basename...), 0)
	}
	return m
}

func (f *goldenFields) compileResult(t *testing.T) buildabi.Message {
	m := &buildabi.CompileResult{Step: f.StepIdx, UseLLVM: f.UseLLVM,
		Stats: buildabi.Stats(f.Stats), Total: f.Total, PassTimings: f.Timings,
		Files: make([]string, len(f.Files)), Decls: make([]buildabi.Decl, len(f.Decls))}
	for i := range m.Files {
		if err := json.Unmarshal(f.Files[i], &m.Files[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range m.Decls {
		m.Decls[i] = buildabi.Decl(f.Decls[i])
	}
	return m
}

func TestGolden(t *testing.T) {
	for _, file := range goldenFiles() {
		t.Run(file.name, func(t *testing.T) {
			done := map[string]int{}
			for _, c := range readGolden(t, file) {
				m := c.message(t, file.version)
				if m == nil {
					continue
				}
				done[c.Message]++
				t.Run(c.Message+"/"+c.Case, func(t *testing.T) {
					checkGolden(t, file.version, m, c.Bytes)
				})
			}
			if want := 8 + int(file.version); len(done) != want {
				t.Errorf("cases of %d kinds of message %v, want %d", len(done), done, want)
			}
		})
	}
}

// checkGolden encodes and decodes one message.
func checkGolden(t *testing.T, v buildabi.Version, m buildabi.Message, want []byte) {
	prefix := []byte("before")
	b, err := m.AppendBinary(prefix)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, append(prefix, want...)) {
		t.Errorf("encodes to\n%x, want\n%x", b[len(prefix):], want)
	}
	got, err := buildabi.Parse(v, want)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, m) {
		t.Errorf("decodes to\n%+v, want\n%+v", got, m)
	}
}

// TestGoldenOther checks the cases that are no messages to a client.
func TestGoldenOther(t *testing.T) {
	for _, file := range goldenFiles() {
		for _, c := range readGolden(t, file) {
			switch c.Message {
			case "rebuild":
				b, err := buildabi.Rebuild{}.AppendBinary(nil)
				if err != nil || !bytes.Equal(b, c.Bytes) {
					t.Errorf("Rebuild encodes to %x, %v, want %x", b, err, c.Bytes)
				}
				if _, err := buildabi.ParseClient(c.Bytes); err != nil {
					t.Error(err)
				}
			case "fuzz_entry_points_header_only":
				m := buildabi.EntryPoints{Locations: make([]uint32, c.Fields.LocsLen)}
				b, err := m.AppendBinary(nil)
				if err != nil || !bytes.Equal(b[:4], c.Bytes) {
					t.Errorf("%d entry points begin with %x, %v, want %x",
						c.Fields.LocsLen, b[:min(4, len(b))], err, c.Bytes)
				}
			}
		}
	}
}

// TestRecordings decodes and encodes every message that a real server sent.
func TestRecordings(t *testing.T) {
	for _, r := range readRecordings(t) {
		t.Run(r.name, func(t *testing.T) {
			for i, rec := range r.records {
				if rec.Dir == "c2s" {
					if _, err := buildabi.ParseClient(rec.Bytes); err != nil {
						t.Errorf("message %d: %v", i, err)
					}
					continue
				}
				m, err := buildabi.Parse(r.version, rec.Bytes)
				if err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				b, err := m.AppendBinary(nil)
				if err != nil || !bytes.Equal(b, rec.Bytes) {
					t.Errorf("message %d, %T, encodes to other bytes: %v", i, m, err)
				}
			}
		})
	}
}
