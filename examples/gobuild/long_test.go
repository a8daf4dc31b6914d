//go:build long

package main

import (
	"bytes"
	"strings"
	"testing"
)

// The demonstration as the README names it.
func TestDemoOfVet(t *testing.T) {
	cmd := program(t)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	for _, want := range []string{"3 programs", "all the same as with Go's own cache", "saved by sharing"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, &stdout)
		}
	}
}
