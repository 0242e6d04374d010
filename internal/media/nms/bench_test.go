package nms

import (
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
)

func BenchmarkCallback(b *testing.B) {
	mediatest.Benchmark(b, routes, publishing("token=abc"))
}
