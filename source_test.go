package larder_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ambient lists what library code may not call, by import path: everything hangs off a value that the host
// made, and no error ends the host.
var ambient = map[string][]string{
	"os":      {"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Clearenv", "Exit", "Chdir", "StartProcess"},
	"syscall": {"Getenv", "Environ", "Setenv", "Exit"},
}

// forbidden lists what library code may not import at all.
var forbidden = []string{"flag", "log", "os/exec", "os/signal"}

// harness lists the rooms that only tests use.
var harness = []string{"internal/testkit"}

// source is one parsed Go file of this module.
type source struct {
	name string // slash-separated, from the module's root
	file *ast.File
}

func (s source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

func (s source) library() bool {
	return !s.test() && s.file.Name.Name != "main" && !slices.Contains(harness, path.Dir(s.name))
}

func TestSource(t *testing.T) {
	for _, s := range parseSources(t) {
		if s.library() {
			report(t, checkAmbient(s))
		}
	}
}

func TestNoWorkspace(t *testing.T) {
	walk(t, func(name string) {
		if base := path.Base(name); base == "go.work" || base == "go.work.sum" {
			t.Errorf("%s is there: a workspace hides missing requirements", name)
		}
	})
}

// TestSourceRulesBite breaks each rule on a made-up file.
func TestSourceRulesBite(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"init", `func init() {}`, "init"},
		{"environment", `import "os"; func f() string { return os.Getenv("A") }`, "os.Getenv"},
		{"environment by value", `import "os"; var f = os.LookupEnv`, "os.LookupEnv"},
		{"environment, renamed", `import o "os"; var f = o.Environ`, "os.Environ"},
		{"environment, by system call", `import "syscall"; var f = syscall.Getenv`, "syscall.Getenv"},
		{"exit", `import "os"; func f() { os.Exit(1) }`, "os.Exit"},
		{"log", `import "log"; func f() { log.Print() }`, `"log"`},
		{"process", `import "os/exec"; var f = exec.Command`, `"os/exec"`},
		{"dot import", `import . "os"; var f = Getenv`, "dot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := parser.ParseFile(token.NewFileSet(), "a.go", "package a; "+c.text, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(checkAmbient(source{"a.go", file}), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("complaints %q do not say %q", got, c.want)
			}
		})
	}
}

// checkAmbient complains about everything in a library file that does not hang off a value of the host.
func checkAmbient(s source) (complaints []string) {
	names := map[string]string{} // what the file calls a package: its import path
	for _, spec := range s.file.Imports {
		imported := importPath(spec)
		if slices.Contains(forbidden, imported) {
			complaints = append(complaints, fmt.Sprintf("%s imports %q", s.name, imported))
		}
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == "." {
			complaints = append(complaints, fmt.Sprintf("%s has a dot import of %q", s.name, imported))
		}
		names[name] = imported
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				complaints = append(complaints, s.name+" has a func init")
			}
		case *ast.SelectorExpr:
			of, ok := n.X.(*ast.Ident)
			if ok && slices.Contains(ambient[names[of.Name]], n.Sel.Name) {
				complaints = append(complaints, fmt.Sprintf("%s uses %s.%s", s.name, names[of.Name], n.Sel.Name))
			}
		}
		return true
	})
	return complaints
}

func importPath(spec *ast.ImportSpec) string {
	imported, _ := strconv.Unquote(spec.Path.Value) // the parser has accepted it
	return imported
}

// parseSources reads every Go file of this module, for all systems and with all build tags.
func parseSources(t *testing.T) (sources []source) {
	t.Helper()
	positions := token.NewFileSet()
	walk(t, func(name string) {
		if path.Ext(name) != ".go" {
			return
		}
		file, err := parser.ParseFile(positions, filepath.FromSlash(name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, source{name, file})
	})
	if len(sources) < 10 {
		t.Fatalf("found only %d Go files", len(sources))
	}
	return sources
}

// walk visits this module's files, not those of nested modules, of testdata and of hidden folders.
func walk(t *testing.T, visit func(name string)) {
	t.Helper()
	nested := func(dir string) bool {
		found, err := filepath.Glob(filepath.Join(dir, "go.mod"))
		return dir != "." && err == nil && len(found) > 0
	}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			visit(filepath.ToSlash(name))
		case name != "." && strings.HasPrefix(d.Name(), "."), d.Name() == "testdata", nested(name):
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func report(t *testing.T, complaints ...[]string) {
	t.Helper()
	for _, c := range slices.Concat(complaints...) {
		t.Error(c)
	}
}
