package exec_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/weir-engine/weir/internal/logictest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRules(t *testing.T) { logictest.Run(t, "testdata/rules") }
