package lifecycle_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

func TestRecordDamaged(t *testing.T) {
	whole := lifecycle.FormatRecord(lifecycle.Info{
		Process: ipc.Process{PID: 1, Start: 2}, Instance: "i", Version: "a\nb",
	})
	info, stage, err := lifecycle.ParseRecord(whole)
	if err != nil || info.Version != "a\nb" || info.Process.Start != 2 || stage != "listening" {
		t.Fatalf("record %+v, %s, %v", info, stage, err)
	}
	for n := range whole {
		if info, _, err := lifecycle.ParseRecord(whole[:n]); err == nil {
			t.Errorf("the first %d bytes make %+v", n, info)
		}
	}
	for name, damage := range map[string][2]string{
		"head": {"holder 1", "holder 2"}, "pid": {"pid 1", "pid one"}, "start": {"start 2", "start -2"},
		"quotes": {`"i"`, `"i`}, "end": {"end", "and"},
	} {
		b := strings.Replace(string(whole), damage[0], damage[1], 1)
		if info, _, err := lifecycle.ParseRecord([]byte(b)); err == nil {
			t.Errorf("%s: damaged record gives %+v", name, info)
		}
	}
	newer := strings.Replace(string(whole), "pid 1", "mood fine\npid 1", 1)
	if info, _, err := lifecycle.ParseRecord([]byte(newer)); err != nil || info.Process.PID != 1 {
		t.Errorf("record with one more field: %+v, %v", info, err)
	}
}

// TestRecordRewritten cannot write a new record: of the old one nothing is left that could be read mixed with it.
func TestRecordRewritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record")
	old := lifecycle.FormatRecord(lifecycle.Info{Version: "1"})
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0) // which writes at no place but the end
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(len(old))); err != nil {
		t.Skip("this system truncates no such file:", err)
	}
	if err := lifecycle.WriteRecord(f, lifecycle.Info{Version: "10"}); err == nil {
		t.Error("written")
	}
	if left, err := os.ReadFile(path); err != nil || len(left) > 0 {
		t.Errorf("left over: %q, %v", left, err)
	}
}
