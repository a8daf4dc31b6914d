//go:build !linux

package cache

import "github.com/larderbuild/larder/internal/testkit"

func systemRoles() map[string]testkit.Role { return nil }
