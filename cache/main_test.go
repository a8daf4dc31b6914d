package cache

import (
	"maps"
	"os"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

func TestMain(m *testing.M) {
	roles := map[string]testkit.Role{"putter": playPutter, "holder": playHolder,
		"builder": playBuilder, "survivor": playSurvivor}
	maps.Copy(roles, systemRoles())
	os.Exit(testkit.Main(m, &testkit.Options{
		Roles: roles,
	}))
}
