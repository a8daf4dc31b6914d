package lifecycle_test

import (
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
