package gobuild

import (
	"context"
	"errors"

	"github.com/larderbuild/larder/internal/bench/goprog"
)

// recording is what one build of a target got and put.
type recording struct {
	*goprog.Table
	dir string
}

// recordBuild builds the target through the recorder, with the user's GOCACHE as its source.
func recordBuild(ctx context.Context, p *programs, what work) (*recording, error) {
	program, err := p.binary(ctx, recordPkg)
	if err != nil {
		return nil, err
	}
	seed, err := ask(ctx, "", "env", "GOCACHE")
	if err != nil {
		return nil, err
	}
	dir, _, err := p.env.TempDir("recording")
	if err != nil {
		return nil, err
	}
	gocache, _, err := p.env.TempDir("gocache")
	if err != nil {
		return nil, err
	}
	p.env.Log.Printf("gobuild: recording a build of %d packages or patterns", len(what.packages))
	c := caching{gocache: gocache, program: quote(program) + " " + quote(dir) + " " + quote(seed)}
	if _, _, err := c.run(ctx, what.dir, what.args()...); err != nil {
		return nil, err
	}
	table, err := goprog.LoadTable(dir)
	if err != nil {
		return nil, err
	}
	if table.Len() == 0 {
		return nil, errors.New("bench: the recorded build used no cache")
	}
	return &recording{table, dir}, nil
}
