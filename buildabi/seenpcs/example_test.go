package seenpcs_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/larderbuild/larder/buildabi/seenpcs"
)

// A host follows the coverage file of a fuzzed program and finds where its counters are.
func Example() {
	dir, err := os.MkdirTemp("", "seenpcs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, seenpcs.Name(0x0123456789abcdef))
	pcs := []uint64{0x401037, 0x401046}
	if err := seenpcs.Write(path, &seenpcs.File{Runs: 1000, PCs: pcs}); err != nil {
		fmt.Println(err)
		return
	}

	f, err := seenpcs.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	update, err := f.Coverage()
	fmt.Println(filepath.Base(path), update.Runs, update.Covered.Count(), err)

	program := filepath.Join(dir, "program")
	if err := unpack("testdata/tiny.gz", program); err != nil {
		fmt.Println(err)
		return
	}
	r, err := seenpcs.NewResolver(program)
	if err != nil {
		fmt.Println(err)
		return
	}
	index, err := r.Index(pcs)
	for _, l := range index.Locations {
		directory, basename := index.Path(l.File)
		fmt.Println(directory, basename, l.Line, err)
	}
	// Output:
	// efcdab8967452301 1000 0 <nil>
	// /p/src tiny.c 7 <nil>
	// /p/src tiny.c 11 <nil>
}

func unpack(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r)
	return errors.Join(err, out.Close())
}
