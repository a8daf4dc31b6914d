package gocacheprog_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

// dirStore is the smallest store there can be: two files an output.
type dirStore struct{ dir string }

func (d dirStore) name(id gocacheprog.ID, kind string) string {
	return filepath.Join(d.dir, hex.EncodeToString(id[:])+kind)
}

func (d dirStore) Get(_ context.Context, action gocacheprog.ID) (gocacheprog.Object, error) {
	record, err := os.ReadFile(d.name(action, "-a"))
	if errors.Is(err, fs.ErrNotExist) {
		return gocacheprog.Object{}, gocacheprog.ErrMiss
	}
	if err != nil {
		return gocacheprog.Object{}, err
	}
	var o gocacheprog.Object
	err = json.Unmarshal(record, &o)
	return o, err
}

func (d dirStore) Put(_ context.Context, action, output gocacheprog.ID, body io.Reader) (o gocacheprog.Object, err error) {
	content, err := io.ReadAll(body)
	if err != nil {
		return o, err
	}
	o = gocacheprog.Object{
		Output: output, Size: int64(len(content)), Time: time.Now(), Path: d.name(output, "-d"),
	}
	record, err := json.Marshal(o)
	if err != nil {
		return o, err
	}
	return o, errors.Join(
		os.WriteFile(o.Path, content, 0o644),
		os.WriteFile(d.name(action, "-a"), record, 0o644),
	)
}

func (dirStore) Release() {}
