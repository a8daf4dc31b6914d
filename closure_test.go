//go:build !windows

// Not built for Windows: the rules are about the source, which is the same everywhere, and a test binary
// that was built on another system may run where there is no go command.

package larder_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module  = "github.com/larderbuild/larder"
	foreign = "github.com/dgraph-io/badger/v4" // one that is not required
	xsys    = "golang.org/x/sys"
	xsync   = "golang.org/x/sync"
	xxhash  = "github.com/cespare/xxhash/v2"
)

// arrows says which packages of this module each package may import. A package that
// is not listed has no place in the architecture yet.
var arrows = map[string][]string{
	"":                      nil,
	"buildabi":              nil,
	"buildabi/seenpcs":      {"buildabi"},
	"cache":                 {"cache/internal/index", "cache/internal/place", "internal/framelog", "internal/vfs"},
	"cache/cachetest":       {"cache"},
	"cache/gocacheprog":     {"cache"},
	"cache/internal/index":  {"internal/vfs"},
	"cache/internal/place":  {"internal/vfs"},
	"examples/abidump":      {"buildabi", "buildabi/seenpcs"},
	"examples/daemon":       {"ipc", "ipc/ipcjson", "ipc/lifecycle"},
	"examples/gobuild":      {"cache", "cache/gocacheprog", "ipc", "ipc/lifecycle"},
	"internal/framelog":     {"internal/vfs"},
	"internal/testkit":      nil,
	"internal/vfs":          nil,
	"ipc":                   {"ipc/internal/errline", "ipc/internal/filelock"},
	"ipc/internal/errline":  nil,
	"ipc/internal/filelock": nil,
	"ipc/ipcjson":           {"ipc"},
	"ipc/ipctest":           {"ipc"},
	"ipc/lifecycle":         {"ipc", "ipc/internal/errline", "ipc/internal/filelock"},
}

// required is all that this module may require.
var required = []string{xsys, xsync, xxhash}

// outside says which modules the rooms may reach, over any number of imports, beside the standard library. The
// entry of the nearest room above counts; without one it is required.
var outside = map[string][]string{
	"":                  nil,
	"buildabi":          {xsys, xsync},
	"eviction":          {xsys, xsync},
	"internal/framelog": {xsys, xsync, xxhash},
	"internal/testkit":  {xsys, xsync},
	"internal/vfs":      {xsys, xsync},
	"ipc":               {xsys, xsync},
	"watch":             {xsys, xsync},
}

// pkg is what go list says about a package.
type pkg struct {
	ImportPath string
	Name       string
	Standard   bool
	Imports    []string // by its own non-test files
	Deps       []string // by these files and by all that they import
	Module     *struct{ Path string }
}

// room is the package's path inside this module; ok is false for one of another module.
func (p *pkg) room() (room string, ok bool) {
	if p.ImportPath == module {
		return "", true
	}
	return strings.CutPrefix(p.ImportPath, module+"/")
}

// packages maps import paths to packages: this module's and all they need.
type packages map[string]*pkg

func TestImports(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			found := listPackages(t, system)
			for _, p := range found {
				report(t, found.checkArrows(p), found.checkOutside(p))
			}
		})
	}
}

// TestImportRulesBite breaks each rule on a made-up module.
func TestImportRulesBite(t *testing.T) {
	for _, c := range []struct {
		name, room string
		imports    []string
		deps       []string
		check      func(packages, *pkg) []string
		want       string
	}{
		{"unknown package", "pantry", nil, nil, packages.checkArrows, "no place"},
		{"sibling", "internal/vfs", []string{module + "/cache"}, nil, packages.checkArrows, "may not import"},
		{"parent to front end", "cache", []string{module + "/cache/gocacheprog"}, nil, packages.checkArrows, "may not import"},
		{"xxhash in vfs", "internal/vfs", nil, []string{xxhash}, packages.checkOutside, "reaches"},
		{"xxhash below eviction", "eviction/evictiontest", nil, []string{xxhash}, packages.checkOutside, "reaches"},
		{"another module in the root", "", nil, []string{foreign}, packages.checkOutside, "reaches"},
		{"another module in the store", "cache/internal/index", nil, []string{foreign}, packages.checkOutside, "reaches"},
		{"another module in an example", "examples/cc", nil, []string{foreign}, packages.checkOutside, "reaches"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &pkg{ImportPath: strings.TrimSuffix(module+"/"+c.room, "/"), Imports: c.imports, Deps: c.deps}
			found := packages{p.ImportPath: p, module + "/cache": {ImportPath: module + "/cache"}}
			for _, path := range []string{foreign, xxhash} {
				found[path] = &pkg{ImportPath: path, Module: &struct{ Path string }{path}}
			}
			if got := strings.Join(c.check(found, p), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("complaints %q do not say %q", got, c.want)
			}
		})
	}
}

// checkArrows complains about imports inside the module that its architecture does not have.
func (all packages) checkArrows(p *pkg) (complaints []string) {
	room, ok := p.room()
	if !ok {
		return nil
	}
	allowed, known := arrows[room]
	if !known {
		return []string{fmt.Sprintf("package %q has no place among the arrows", room)}
	}
	for _, path := range p.Imports {
		if to, inside := (&pkg{ImportPath: path}).room(); inside && !slices.Contains(allowed, to) {
			complaints = append(complaints, fmt.Sprintf("package %q may not import %q", room, to))
		}
	}
	return complaints
}

// checkOutside complains about modules that the package reaches and its room may not.
func (all packages) checkOutside(p *pkg) (complaints []string) {
	room, ok := p.room()
	if !ok {
		return nil
	}
	allowed := outsideOf(room)
	for _, path := range p.Deps {
		dep := all[path]
		if dep == nil || dep.Standard || dep.Module == nil || dep.Module.Path == module {
			continue
		}
		if !slices.Contains(allowed, dep.Module.Path) {
			complaints = append(complaints, fmt.Sprintf("package %q reaches module %s", room, dep.Module.Path))
		}
	}
	slices.Sort(complaints)
	return slices.Compact(complaints)
}

func outsideOf(room string) (allowed []string) {
	for r := room; ; {
		if allowed, limited := outside[r]; limited {
			return allowed
		}
		cut := strings.LastIndexByte(r, '/')
		if cut < 0 {
			return required
		}
		r = r[:cut]
	}
}

// TestModuleFile holds what a program that requires this module takes in with it.
func TestModuleFile(t *testing.T) {
	var file struct {
		Go        string
		Toolchain string
		Require   []struct {
			Path string
		}
		Replace, Tool []any
	}
	if err := json.Unmarshal(goCommand(t, "", "mod", "edit", "-json"), &file); err != nil {
		t.Fatal(err)
	}
	if file.Go != "1.26.0" || file.Toolchain != "" {
		t.Errorf("go.mod says go %s, toolchain %q; want go 1.26.0 and no toolchain", file.Go, file.Toolchain)
	}
	if len(file.Replace) > 0 || len(file.Tool) > 0 {
		t.Errorf("go.mod replaces %v and names tools %v; want neither", file.Replace, file.Tool)
	}
	for _, r := range file.Require {
		if !slices.Contains(required, r.Path) {
			t.Errorf("go.mod requires %s", r.Path)
		}
	}
}

// listPackages reads this module's packages and all they import, as they are on a system.
func listPackages(t *testing.T, system string) packages {
	t.Helper()
	found := packages{}
	lines := json.NewDecoder(bytes.NewReader(goCommand(t, system,
		"list", "-deps", "-json=ImportPath,Name,Standard,Imports,Deps,Module", "./...")))
	for {
		p := new(pkg)
		err := lines.Decode(p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found[p.ImportPath] = p
	}
	for _, room := range []string{"", "cache", "cache/internal/index"} {
		if found[strings.TrimSuffix(module+"/"+room, "/")] == nil {
			t.Fatalf("go list did not list package %q", room)
		}
	}
	return found
}

// goCommand runs the go command in this folder for a system, the machine's own when it is empty.
func goCommand(t *testing.T, system string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}
