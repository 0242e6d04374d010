package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var metricWord = regexp.MustCompile(`\bstagedoor_[a-z_]+\b`)

// TestDashboardAndAlertsAskForFiguresThatThereAre compares what they name with
// the page of a server.
func TestDashboardAndAlertsAskForFiguresThatThereAre(t *testing.T) {
	t.Parallel()
	i := install(t)
	s := i.serve(t)
	i.ok(t, "", "node", "create", "away", "--kind", "srs", "--control-url", "http://127.0.0.1:1")
	get(t, s.url+"/healthz") // a first request to measure
	_, page := get(t, s.url+"/metrics")
	var known []string
	for line := range strings.Lines(page) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(strings.TrimSpace(name), " ")
			known = append(known, name)
			if kind == "histogram" {
				known = append(known, name+"_bucket", name+"_sum", name+"_count")
			}
		}
	}
	// There once a media server was asked, or asked, for the first time, and once
	// something was sent.
	known = append(known, "stagedoor_node_up", "stagedoor_decisions_total", "stagedoor_webhook_attempt_duration_seconds_bucket")
	files := deployed(t)
	for _, path := range []string{"deploy/monitoring/alerts.yaml", "deploy/monitoring/dashboard.json"} {
		words := metricWord.FindAllString(files[path], -1)
		if len(words) == 0 {
			t.Errorf("%s asks for nothing", path)
		}
		for _, word := range words {
			if !slices.Contains(known, word) {
				t.Errorf("%s asks for %s, which is not on the page", path, word)
			}
		}
	}
}

func TestTheDashboardIsWhole(t *testing.T) {
	t.Parallel()
	var d struct {
		UID    string
		Panels []struct {
			ID      int
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(deployed(t)["deploy/monitoring/dashboard.json"]), &d); err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range d.Panels {
		if seen[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %+v", p)
		}
		seen[p.ID] = true
	}
}
