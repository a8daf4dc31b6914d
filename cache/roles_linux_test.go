package cache

import "github.com/larderbuild/larder/internal/testkit"

func systemRoles() map[string]testkit.Role {
	return map[string]testkit.Role{"filler": playFiller, "eaten": playEaten, "late": playLate, "stranger": playStranger}
}
