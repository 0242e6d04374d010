package httpx_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// bothLogs writes a record as slog's handler does and as ours does.
func bothLogs(t testing.TB, ctx context.Context, rec slog.Record) (want, got string) {
	t.Helper()
	var theirs, ours bytes.Buffer
	lines := httpx.NewLines(&ours)
	for _, h := range []slog.Handler{httpx.LogHandler(slog.NewJSONHandler(&theirs, nil)), httpx.JSONLog(lines, slog.LevelInfo)} {
		if err := h.Handle(ctx, rec.Clone()); err != nil {
			t.Fatal(err)
		}
	}
	if err := lines.Flush(); err != nil {
		t.Fatal(err)
	}
	return theirs.String(), ours.String()
}

func TestJSONLogWritesWhatSlogDoes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 120_000_000, time.FixedZone("", 3600))
	for name, attrs := range map[string][]slog.Attr{
		"nothing":      nil,
		"request":      {slog.String("method", "GET"), slog.String("path", "/x"), slog.Int("status", 200), slog.Float64("ms", 0.117), slog.String("client_address", "::1")},
		"numbers":      {slog.Float64("a", 0), slog.Float64("b", -1.5), slog.Float64("c", 1e21), slog.Float64("d", 1e-7), slog.Int64("e", math.MinInt64), slog.Float64("f", math.Copysign(0, -1))},
		"not a number": {slog.Float64("a", math.NaN()), slog.Float64("b", math.Inf(1))},
		"escapes":      {slog.String("path", "/a\"b\\c\nd\x7fé\u2028\xff")},
		"odd keys":     {slog.String("a\"b", "x"), slog.String("", "empty")},
		"empty key":    {slog.Int("", 1)},
		"other kinds":  {slog.Bool("b", true), slog.Duration("d", time.Second), slog.Any("e", errors.New("why")), slog.Any("n", nil), slog.Time("t", at)},
		"group":        {slog.Group("g", slog.Int("a", 1)), slog.Group("", slog.Int("b", 2)), slog.Group("none")},
		"long":         {slog.String("path", "/"+strings.Repeat("x", 2000))},
	} {
		for _, when := range []time.Time{at, at.UTC(), {}, at.AddDate(9000, 0, 0)} {
			rec := slog.NewRecord(when, slog.LevelInfo+1, "request", 0)
			rec.AddAttrs(attrs...)
			if want, got := bothLogs(t, t.Context(), rec); got != want {
				t.Errorf("%s: got %swant %s", name, got, want)
			}
		}
	}
}

func FuzzJSONLog(f *testing.F) {
	f.Add("request", "path", "/a", 1.5, int64(1))
	f.Add("a\"b", "", "\xff", math.Inf(-1), int64(0))
	f.Fuzz(func(t *testing.T, msg, key, text string, number float64, n int64) {
		rec := slog.NewRecord(time.Unix(n%1e12, 0).UTC(), slog.Level(n%100), msg, 0)
		rec.AddAttrs(slog.String(key, text), slog.Float64("f", number), slog.Int64(key, n))
		if want, got := bothLogs(t, t.Context(), rec); got != want {
			t.Errorf("got %swant %s", got, want)
		}
	})
}

func TestJSONLogNamesTheRequestAndKeepsItsLevel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	lines := httpx.NewLines(&out)
	b := setup(t)
	b.config.Log = slog.New(httpx.JSONLog(lines, slog.LevelInfo))
	b.rt.HandleFunc("GET /x", func(_ http.ResponseWriter, r *http.Request) {
		b.config.Log.DebugContext(r.Context(), "hidden")
		b.config.Log.With("a", 1).InfoContext(r.Context(), "shown")
		b.config.Log.WithGroup("g").InfoContext(r.Context(), "grouped", "a", 1)
	})
	id := b.serve(httptest.NewRequest("GET", "/x", nil)).Header().Get("X-Request-Id")
	if err := lines.Close(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), `"request_id":"`+id+`"`); got != 3 || strings.Contains(out.String(), "hidden") {
		t.Errorf("%d lines name the request:\n%s", got, out.String())
	}
}

func TestLinesAreWrittenTogether(t *testing.T) {
	t.Parallel()
	written := make(chan string, 8)
	lines := httpx.NewLines(writes(written))
	write := func(text string) {
		t.Helper()
		if n, err := lines.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	write("a\n")
	write("b\n")
	if got := <-written; got != "a\nb\n" && got+<-written != "a\nb\n" { // it may take a moment between the two
		t.Errorf("after a moment %q", got)
	}
	long := strings.Repeat("x", 40<<10)
	write(long)
	if got := <-written; got != long {
		t.Errorf("%d bytes of a long line", len(got))
	}
	if err := lines.Close(); err != nil {
		t.Fatal(err)
	}
	write("c\n")
	if len(written) != 1 {
		t.Error("a line behind the end waits")
	}
}

func TestWarningsDoNotWait(t *testing.T) {
	t.Parallel()
	written := make(chan string, 8)
	log := slog.New(httpx.JSONLog(httpx.NewLines(writes(written)), slog.LevelInfo))
	log.Warn("look", "a", 1)
	log.Error("here", "odd", []int{1})
	if len(written) != 2 {
		t.Errorf("%d lines are written", len(written))
	}
}

// writes hands each write on.
type writes chan string

func (w writes) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}
