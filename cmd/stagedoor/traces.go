package main

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/tracing/export"
)

// startTraces begins to send traces where a collector is configured.
func (a *app) startTraces(ctx context.Context) (err error) {
	headers := map[string]string{}
	for name, value := range a.cfg.Traces.Headers {
		headers[name] = value.Reveal()
	}
	version, _ := buildVersions()
	a.traces, err = export.New(ctx, export.Config{Endpoint: a.cfg.Traces.Endpoint, Headers: headers, Ratio: a.cfg.TraceRatio, Version: version, Log: a.log, Now: time.Now})
	if err != nil {
		return fmt.Errorf("traces: %w", err)
	}
	return nil
}
