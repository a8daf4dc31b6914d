package index_test

import (
	"os"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m, nil)) }
