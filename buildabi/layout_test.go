package buildabi

import (
	"encoding/json"
	"os"
	"testing"
)

// TestLayout holds the offsets that the codec uses against those of real Zig compilers.
func TestLayout(t *testing.T) {
	for _, c := range []struct {
		file  string
		table map[string]map[string]int
	}{
		{"testdata/layout-0.15.1.json", layoutV1()},
		{"testdata/layout-0.16.json", layoutV3()},
	} {
		b, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		var types []struct {
			Type   string
			Size   int
			Fields []struct {
				Name   string
				Offset int
			}
		}
		if err := json.Unmarshal(b, &types); err != nil {
			t.Fatal(err)
		}
		checked := 0
		for _, real := range types {
			ours, known := c.table[real.Type]
			if !known {
				continue
			}
			checked++
			if ours["size"] != real.Size {
				t.Errorf("%s: size %d, want %d", real.Type, ours["size"], real.Size)
			}
			for _, f := range real.Fields {
				if at, ok := ours[f.Name]; !ok || at != f.Offset {
					t.Errorf("%s.%s: offset %d, %v, want %d", real.Type, f.Name, at, ok, f.Offset)
				}
			}
			if len(ours) != len(real.Fields)+1 {
				t.Errorf("%s: %d fields, want %d", real.Type, len(ours)-1, len(real.Fields))
			}
		}
		if checked != len(c.table) {
			t.Errorf("%s has %d types of %d", c.file, checked, len(c.table))
		}
	}
}

func layoutV1() map[string]map[string]int {
	return map[string]map[string]int{
		"Hello": {"tag": 0, "status": helloStatus, "flags": helloFlags,
			"timestamp": helloTimestamp, "steps_len": helloSteps, "size": helloSize},
		"StatusUpdate": {"tag": 0, "new": statusNew, "size": statusUpdateSize},
		"StepUpdate":   {"tag": 0, "step_idx": stepIndex, "bits": stepBits, "size": stepUpdateSize},
		"Rebuild":      {"tag": 0, "size": 1},
		"fuzz.SourceIndexHeader": {"tag": 0, "_": indexPadding, "directories_len": indexDirectories,
			"files_len": indexFiles, "source_locations_len": indexLocations,
			"string_bytes_len": indexStrings, "start_timestamp": indexStart, "size": indexSize},
		"debug.Coverage.File":           {"directory_index": 0, "basename": 4, "size": fileSize},
		"debug.Coverage.SourceLocation": {"file": 0, "line": 4, "column": 8, "size": locationSize},
		"fuzz.CoverageUpdateHeader": {"tag": 0, "_": coveragePadding, "n_runs": coverageRuns,
			"unique_runs": coverageUnique, "size": coverageSize},
		"fuzz.EntryPointHeader": {"tag": 0, "locs_len_raw": entryCount, "size": entrySize},
		"time_report.GenericResult": {"tag": 0, "step_idx": stepIndex, "ns_total": genericTotal,
			"size": genericSize},
		"time_report.CompileResult": {"tag": 0, "step_idx": stepIndex, "flags": compileFlags,
			"stats": compileStats, "ns_total": compileTotal,
			"llvm_pass_timings_len": compileTimings, "files_len": compileFiles,
			"decls_len": compileDecls, "size": compileSize},
	}
}

func layoutV3() map[string]map[string]int {
	all := layoutV1()
	all["fuzz.SourceIndexHeader"]["size"] = indexSizeV3
	all["fuzz.SourceIndexHeader"]["start_n_runs"] = indexStartRuns
	all["time_report.RunTestResult"] = map[string]int{"tag": 0, "step_idx": stepIndex,
		"tests_len": testsCount, "size": testsSize}
	return all
}
