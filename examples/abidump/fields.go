package main

import (
	"bytes"
	"encoding"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/seenpcs"
)

// object is a JSON object; its keys are printed in alphabetical order.
type object map[string]any

// describe returns the kind of a message and its fields, under the names that they have in Zig.
func describe(m encoding.BinaryAppender) (kind string, fields object) {
	switch m := m.(type) {
	case *buildabi.Hello:
		return "hello", helloFields(m)
	case *buildabi.StatusUpdate:
		return "status_update", object{"new": uint8(m.New)}
	case *buildabi.StepUpdate:
		return "step_update", object{"step_idx": m.Step, "status": uint8(m.Status)}
	case *buildabi.SourceIndex:
		return "fuzz_source_index", indexFields(m)
	case *buildabi.CoverageUpdate:
		return "fuzz_coverage_update", object{"n_runs": m.Runs, "unique_runs": m.UniqueRuns,
			"bits_len": 8 * len(m.Covered), "covered": numbers(m.Covered)}
	case *buildabi.EntryPoints:
		return "fuzz_entry_points", object{"locs_len": len(m.Locations), "locs": m.Locations}
	case *buildabi.GenericResult:
		return "time_report_generic_result", object{"step_idx": m.Step, "ns_total": m.Total}
	case *buildabi.CompileResult:
		return "time_report_compile_result", compileFields(m)
	case *buildabi.RunTestResult:
		return "time_report_run_test_result", testFields(m)
	}
	return "rebuild", object{}
}

func helloFields(m *buildabi.Hello) object {
	statuses := make([]int, len(m.Steps))
	for i := range statuses {
		statuses[i] = int(m.Statuses.Get(i))
	}
	return object{"status": uint8(m.Status), "time_report": m.TimeReport, "timestamp": m.Timestamp,
		"steps_len": len(m.Steps), "step_names": orEmpty(m.Steps), "step_statuses": statuses}
}

func indexFields(m *buildabi.SourceIndex) object {
	directories := make([]string, len(m.Directories))
	files, locations := make([]object, len(m.Files)), make([]object, len(m.Locations))
	for i, at := range m.Directories {
		directories[i] = name(m.Strings, at)
	}
	for i, f := range m.Files {
		files[i] = object{"directory_index": f.Directory, "basename_offset": f.Basename,
			"basename": name(m.Strings, f.Basename)}
	}
	for i, l := range m.Locations {
		locations[i] = object{"file": l.File, "line": l.Line, "column": l.Column}
	}
	fields := object{"start_timestamp": m.Start, "directories": directories,
		"directory_offsets": m.Directories, "files": files, "source_locations": locations,
		"string_bytes_len": len(m.Strings)}
	if m.Version >= buildabi.V3 {
		fields["start_n_runs"] = m.StartRuns
	}
	return fields
}

// name returns the string at an offset, empty for one out of range.
func name(table []byte, at uint32) string {
	s, _, _ := bytes.Cut(table[min(uint64(at), uint64(len(table))):], []byte{0})
	return string(s)
}

func compileFields(m *buildabi.CompileResult) object {
	decls := make([]object, len(m.Decls))
	for i, d := range m.Decls {
		decls[i] = object{"name": d.Name, "file": d.File, "sema_count": d.SemaCount,
			"sema_ns": d.Sema, "codegen_ns": d.Codegen, "link_ns": d.Link}
	}
	s := &m.Stats
	return object{"step_idx": m.Step, "use_llvm": m.UseLLVM, "ns_total": m.Total,
		"llvm_pass_timings": m.PassTimings, "files": orEmpty(m.Files), "decls": decls,
		"stats": object{"n_reachable_files": s.ReachableFiles, "n_imported_files": s.ImportedFiles,
			"n_generic_instances": s.GenericInstances, "n_inline_calls": s.InlineCalls,
			"cpu_ns_parse": s.CPUParse, "cpu_ns_astgen": s.CPUAstGen, "cpu_ns_sema": s.CPUSema,
			"cpu_ns_codegen": s.CPUCodegen, "cpu_ns_link": s.CPULink, "real_ns_files": s.Files,
			"real_ns_decls": s.Decls, "real_ns_llvm_emit": s.LLVMEmit,
			"real_ns_link_flush": s.LinkFlush}}
}

func testFields(m *buildabi.RunTestResult) object {
	names, times := make([]string, len(m.Tests)), make([]uint64, len(m.Tests))
	for i, t := range m.Tests {
		names[i], times[i] = t.Name, t.Time
	}
	return object{"step_idx": m.Step, "test_names": names, "test_ns": times}
}

func fileFields(f *seenpcs.File) object {
	return object{"n_runs": f.Runs, "unique_runs": f.UniqueRuns, "pcs": f.PCs,
		"covered": numbers(f.Hits)}
}

// numbers lists the bits that are on.
func numbers(set buildabi.Bits) []int {
	list := make([]int, 0, set.Count())
	for i := range 8 * len(set) {
		if set.Get(i) {
			list = append(list, i)
		}
	}
	return list
}

// orEmpty makes nothing an empty array of JSON, not null.
func orEmpty(list []string) []string { return append([]string{}, list...) }
