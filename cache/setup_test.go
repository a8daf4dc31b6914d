package cache

import (
	"testing"

	"github.com/larderbuild/larder/internal/vfs"
)

func osSeams(segmentBytes int64) seams { return seams{fs: vfs.OS{}, segmentBytes: segmentBytes} }

func mustDefaults(t testing.TB, o *Options) Options {
	t.Helper()
	opt, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return opt
}
