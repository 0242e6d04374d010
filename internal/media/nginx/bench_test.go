package nginx

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
)

func BenchmarkCallback(b *testing.B) {
	for name, uri := range map[string]string{"flv": "/live/room1.flv?token=abc", "playlist": "/live/room1.m3u8?token=abc"} {
		b.Run(name, func(b *testing.B) {
			mediatest.Benchmark(b, func(l media.Ledger, log *slog.Logger) http.Handler { return routes(b, l, log, time.Now) }, asks(uri))
		})
	}
}
