//go:build unix

package lifecycle_test

import "github.com/larderbuild/larder/internal/testkit"

// systemRoles are what child processes can do on this system only.
var systemRoles = map[string]testkit.Role{"activated": playActivated}
