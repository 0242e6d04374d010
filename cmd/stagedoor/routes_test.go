package main

import (
	"context"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

// profiles are the only routes beside those of the spec: for operators, on a
// listener of their own. OPTIONS is none: what browsers ask beforehand is
// answered in front of the router.
const profiles = "GET /debug/pprof/"

func TestRoutesAndSpecAreTheSame(t *testing.T) {
	t.Parallel()
	want := map[string]bool{}
	verb := regexp.MustCompile(`}:[a-z]+$`) // served by the route of the thing that it is done to
	for path, item := range spectest.New(t).Document().Paths.Map() {
		for method := range item.Operations() {
			want[method+" "+verb.ReplaceAllString(path, "}")] = true
		}
	}
	served := map[string]bool{}
	for i, rt := range routersOf(t) {
		for _, pattern := range rt.Patterns() {
			// Go's muxes write the root and the rest of a path in their own way.
			pattern = strings.NewReplacer("{$}", "", "...}", "}").Replace(pattern)
			if i == 0 {
				served[pattern] = true
			}
			if strings.HasPrefix(pattern, profiles) && i > 0 {
				continue
			}
			if !want[pattern] {
				t.Errorf("%s is served but not in openapi.yaml", pattern)
			}
		}
	}
	for _, op := range slices.Sorted(maps.Keys(want)) {
		if !served[op] {
			t.Errorf("%s is in openapi.yaml but not served", op)
		}
	}
}

// routersOf are those of a server whose operations have a listener of their
// own: the main one and theirs.
func routersOf(t *testing.T) []*httpx.Router {
	t.Helper()
	return appOf(t).routers(&drain{}, true)
}

// appOf are the services of a server.
func appOf(t *testing.T, flags ...string) *app {
	t.Helper()
	var c cli
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append([]string{"serve"}, install(t, flags...).flags...)); err != nil {
		t.Fatal(err)
	}
	settings, err := c.Config.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	a, err := newApp(t.Context(), &settings, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.store.close(context.WithoutCancel(t.Context())) })
	return a
}
