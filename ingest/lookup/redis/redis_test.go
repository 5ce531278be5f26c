package redis

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
)

func TestX(t *testing.T) { miniredis.RunT(t) }
