// Package machine describes where and with what a run was made.
package machine

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// Line describes the machine, the file system of dir, the Go release and the versions of the named
// modules, as far as they are linked into this program.
func Line(dir string, modules ...string) string {
	parts := []string{
		cpu(),
		fmt.Sprintf("%d cores", runtime.NumCPU()),
		runtime.GOOS + "/" + runtime.GOARCH,
		"files on " + fileSystem(dir),
		runtime.Version(),
	}
	return strings.Join(append(parts, versions(modules)...), ", ")
}

func versions(modules []string) []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return []string{"module versions unknown"}
	}
	var found []string
	for _, name := range modules {
		for _, dep := range info.Deps {
			if dep.Path == name {
				found = append(found, name+" "+dep.Version)
			}
		}
	}
	return found
}
