package testkit_test

import "testing"

func TestLeakedFile(t *testing.T) { leaves(t, "file", 1, "testkit.test") }
