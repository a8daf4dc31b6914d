package ipc_test

import "github.com/larderbuild/larder/internal/testkit"

// roles are what the tests of this package start as other processes: here they start none.
var roles map[string]testkit.Role
