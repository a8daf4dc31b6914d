package main

import (
	"strings"

	"github.com/larderbuild/larder/internal/bench/buildabi"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/gobuild"
	"github.com/larderbuild/larder/internal/bench/store"
)

// suites lists every suite: a new one is a package and a line here.
func suites() []frame.Suite {
	return []frame.Suite{
		store.Suite(),
		gobuild.Suite(),
		buildabi.Suite(),
	}
}

// modules are named with their versions in the machine line.
func modules() []string {
	return []string{
		"github.com/dgraph-io/badger/v4",
		"github.com/rogpeppe/go-internal",
		"go.etcd.io/bbolt",
		"github.com/bradfitz/go-tool-cache",
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
