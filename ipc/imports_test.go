//go:build !windows

package ipc_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// heavy are packages that would slow down the start of every program that makes one call.
var heavy = []string{"crypto", "encoding/binary", "encoding/json", "fmt", "log", "net", "reflect", "regexp", "os/exec"}

// TestImportsAreLight holds what a one-shot client links.
func TestImportsAreLight(t *testing.T) {
	for _, system := range []string{"linux", "windows"} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", ".")
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0", "GOFLAGS=")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		deps := strings.Fields(string(out))
		if !slices.Contains(deps, "os") {
			t.Fatalf("on %s go list says %q", system, out)
		}
		for _, dep := range deps {
			for _, h := range heavy {
				if dep == h || strings.HasPrefix(dep, h+"/") {
					t.Errorf("on %s the package reaches %s", system, dep)
				}
			}
		}
	}
}
