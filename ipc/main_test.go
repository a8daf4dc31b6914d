package ipc_test

import (
	"os"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

func TestMain(m *testing.M) {
	os.Exit(testkit.Main(m, &testkit.Options{Roles: roles}))
}

// roles are what the tests of this package start as other processes.
var roles = map[string]testkit.Role{}
