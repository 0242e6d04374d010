package export

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// calm tells of what could not be sent once a minute, and when it goes again.
type calm struct {
	sdk.SpanExporter
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	lost int       // spans, since the last word
	next time.Time // of the next word; zero while all is well
}

const pauseOfWords = time.Minute

// ExportSpans sends, and settles what comes of it: nobody else could help.
func (c *calm) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := c.SpanExporter.ExportSpans(ctx, spans)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		if !c.next.IsZero() {
			c.log.InfoContext(ctx, "traces are sent again")
		}
		c.lost, c.next = 0, time.Time{}
		return nil
	}
	c.lost += len(spans)
	if now := c.now(); !now.Before(c.next) {
		c.log.WarnContext(ctx, "traces are lost: the collector at STAGEDOOR_OTLP_ENDPOINT does not take them", "spans", c.lost, "error", reason(err))
		c.lost, c.next = 0, now.Add(pauseOfWords)
	}
	return nil
}

// reason is what the error says, without what the collector answered, which may
// repeat what we sent.
func reason(err error) string {
	var sending *url.Error
	if errors.As(err, &sending) {
		return sending.Err.Error()
	}
	text, _, cut := strings.Cut(err.Error(), "body:")
	if !cut {
		return text
	}
	return strings.TrimRight(text, " (:")
}
