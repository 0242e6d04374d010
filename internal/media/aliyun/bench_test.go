package aliyun

import (
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
)

func BenchmarkCallback(b *testing.B) {
	mediatest.Benchmark(b, routes, status("publish", "token=abc", noon))
}
