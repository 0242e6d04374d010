package mediamtx

import (
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
)

func BenchmarkCallback(b *testing.B) {
	mediatest.Benchmark(b, routes, asking(question("protocol", "rtsp", "query", "token=abc")))
}
