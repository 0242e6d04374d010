package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/stagedoor-live/stagedoor/internal/config"
)

// withApp runs a command against the database, with the views loaded once.
func withApp(e *env, fn func(*app) error) error {
	a, err := newApp(e.ctx, e.cfg, newLogger(quiet(e), e.stderr))
	if err != nil {
		return err
	}
	defer a.store.close(e.ctx)
	if err := a.load(e.ctx); err != nil {
		return err
	}
	return fn(a)
}

// print writes v as JSON, or the rows as a table.
func (e *env) print(v any, header string, rows [][]string) error {
	if e.json {
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ReplaceAll(header, " ", "\t"))
	for _, row := range rows {
		for i := range row {
			row[i] = shown(row[i])
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// done says what a command has changed: as JSON what the API shows of it now, or
// else in one line.
func (e *env) done(v any, format string, args ...any) error {
	if e.json {
		return e.print(v, "", nil)
	}
	_, err := fmt.Fprintln(e.stdout, shown(fmt.Sprintf(format, args...)))
	return err
}

// gone is what the API shows of what is there no more.
type gone struct{}

// shown is text without what a terminal would obey: names of streams and clients
// are whatever somebody sends.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// quiet keeps a command's output free of what only a server needs to tell, and it is not
// traced.
func quiet(e *env) *config.Settings {
	c := *e.cfg
	c.Traces = config.Traces{}
	if c.LogLevel == slog.LevelInfo {
		c.LogLevel = slog.LevelWarn
	}
	return &c
}
