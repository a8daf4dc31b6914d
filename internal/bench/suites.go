package main

import (
	"maps"
	"strings"

	"github.com/larderbuild/larder/internal/bench/buildabi"
	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/gobuild"
	"github.com/larderbuild/larder/internal/bench/ipc"
	"github.com/larderbuild/larder/internal/bench/store"
)

// suites lists every suite: a new one is a package and a line here.
func suites() []frame.Suite {
	return []frame.Suite{
		store.Suite(),
		gobuild.Suite(),
		ipc.Suite(),
		buildabi.Suite(),
	}
}

// jobs are what child processes of all suites run.
func jobs() map[string]child.Job {
	all := store.Jobs()
	maps.Copy(all, ipc.Jobs())
	return all
}

// modules are named with their versions in the machine line.
func modules() []string {
	return []string{
		"github.com/dgraph-io/badger/v4",
		"github.com/rogpeppe/go-internal",
		"go.etcd.io/bbolt",
		"github.com/bradfitz/go-tool-cache",
		"google.golang.org/grpc",
		"github.com/containerd/ttrpc",
		"storj.io/drpc",
		"github.com/hashicorp/yamux",
	}
}

func suiteNamed(name string) (frame.Suite, bool) {
	for _, s := range suites() {
		if s.Name == name {
			return s, true
		}
	}
	return frame.Suite{}, false
}

func suiteNames() string {
	var names []string
	for _, s := range suites() {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}
