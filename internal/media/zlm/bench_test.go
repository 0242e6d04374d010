package zlm

import (
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
)

func BenchmarkCallback(b *testing.B) {
	mediatest.Benchmark(b, routes, hooked("on_publish", publishing("token=abc")))
}
