package ome

import (
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
)

func BenchmarkCallback(b *testing.B) {
	mediatest.Benchmark(b, routes, admission(opening("token=abc")))
}
