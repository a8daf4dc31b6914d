package index_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/vfs"
)

var update = flag.Bool("update", false, "write the golden file of TestGoldenTable anew")

// TestGoldenTable holds the bytes of a table with a leaf, an inner page, a filter and a footer.
func TestGoldenTable(t *testing.T) {
	const golden = "testdata/table.hex"
	mem := vfs.NewMem(folder)
	if err := index.WriteGolden(mem, folder); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for name, b := range readAll(t, mem) {
		fmt.Fprintln(&got, name)
		dump(&got, b)
	}
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got\n%s", got.Bytes())
	}
	x := openSmall(t, mem)
	if got := scan(t, x, "z", ""); len(got) != 9 || got[0] != "z0=last" {
		t.Errorf("read back: %q", got)
	}
}

// dump writes b in lines of 16 bytes, without those that are zero.
func dump(w *bytes.Buffer, b []byte) {
	for at := 0; at < len(b); at += 16 {
		if line := hex.EncodeToString(b[at : at+16]); strings.Trim(line, "0") != "" {
			fmt.Fprintf(w, "%06x %s\n", at, line)
		}
	}
}
