package main

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/stagedoor-live/stagedoor/"

// allowed says which of our packages a package may import, by prefix. What is
// missing here may import nothing of ours but its own sub-packages.
var allowed = map[string][]string{
	"cmd":               {"gen", "internal", "schema"},
	"gen/client":        {},
	"internal/errs":     {},
	"internal/urlsign":  {},
	"internal/media":    {},
	"internal/config":   {},
	"internal/seal":     {},
	"internal/pydantic": {},
	"internal/flatjson": {},
	"internal/paging":   {},
	"internal/clock":    {},
	"internal/hashing":  {},
	"internal/tracing":  {},
	"internal/outage":   {},
	"internal/finding":  {},

	"internal/tracing/export": {"internal/tracing"},

	"internal/media/srs":       {"internal/media", "internal/media/hook", "internal/pydantic", "internal/flatjson", "internal/errs", "internal/httpx", "gen/callback"},
	"internal/media/nginx":     {"internal/media", "internal/media/hook", "internal/httpx", "gen/callback"},
	"internal/media/nms":       {"internal/media", "internal/media/hook", "internal/errs", "internal/httpx", "gen/callback"},
	"internal/media/mediamtx":  {"internal/media", "internal/media/hook", "internal/errs", "internal/httpx", "gen/callback"},
	"internal/media/zlm":       {"internal/media", "internal/errs", "internal/httpx", "gen/callback"},
	"internal/media/ome":       {"internal/media", "internal/media/hook", "internal/errs", "internal/httpx", "gen/callback"},
	"internal/media/aliyun":    {"internal/media", "internal/media/hook", "internal/urlsign", "internal/errs", "internal/httpx", "gen/callback"},
	"internal/media/hook":      {"internal/media", "internal/httpx", "internal/errs"},
	"internal/media/nginxrtmp": {"internal/media", "internal/media/hook", "internal/errs", "internal/httpx", "gen/callback"},
	"internal/httpx":           {"internal/errs", "internal/tracing"},
	"internal/pg":              {"gen/db", "schema", "internal/errs", "internal/seal"},

	"internal/aliyun":     {"internal/errs", "internal/config"},
	"internal/vod":        {"internal/aliyun"},
	"internal/im":         {"internal/errs"},
	"internal/im/aliyun":  {"internal/im", "internal/aliyun"},
	"internal/im/builtin": {"internal/im", "internal/urlsign"},
	"internal/account":    {"internal/lastuse", "gen/db", "internal/pg", "internal/seal", "internal/errs", "internal/urlsign"},
	"internal/outbound":   {"internal/errs"},
	"internal/route":      {"gen/db", "internal/pg", "internal/seal", "internal/errs", "internal/outbound"},
	"internal/node":       {"internal/lastuse", "gen/db", "internal/pg", "internal/seal", "internal/errs", "internal/media"},
	"internal/access":     {"internal/finding", "internal/paging", "internal/lastuse", "internal/account", "gen/db", "internal/pg", "internal/seal", "internal/errs", "internal/media", "internal/urlsign"},
	"internal/room":       {"internal/outage", "internal/paging", "gen/db", "internal/pg", "internal/errs", "internal/media", "internal/urlsign", "internal/im", "internal/vod"},
	"internal/jump":       {"gen/db", "internal/pg", "internal/errs", "internal/account", "internal/room"},
	"internal/relay":      {"internal/outage", "gen/db", "internal/pg", "internal/errs", "internal/media", "internal/outbound", "internal/route"},
	"internal/reconcile":  {"internal/outage", "internal/clock", "gen/db", "internal/pg", "internal/errs", "internal/media", "internal/access", "internal/ledger"},
	"internal/ledger":     {"internal/outage", "internal/tracing", "internal/paging", "gen/db", "internal/pg", "internal/errs", "internal/media", "internal/access"},

	"internal/mediaurl": {"internal/finding", "internal/errs", "internal/media", "internal/urlsign"},
	"internal/explain":  {"internal/finding", "internal/access", "internal/ledger", "internal/media", "internal/mediaurl"},
	"internal/overview": {"internal/access", "internal/errs", "internal/ledger", "internal/node", "internal/refusal", "internal/room", "internal/webhook"},
	"internal/event":    {"gen/db", "internal/pg", "internal/errs"},
	"internal/webhook":  {"internal/outage", "internal/tracing", "gen/db", "internal/pg", "internal/seal", "internal/errs", "internal/outbound", "internal/event"},
	"internal/refusal":  {"internal/outage", "gen/db", "internal/pg", "internal/errs", "internal/media"},

	"internal/evict": {"internal/outage", "internal/clock", "gen/db", "internal/pg", "internal/errs", "internal/media", "internal/access", "internal/account"},

	"internal/callback":                     {"gen/callback", "internal/media", "internal/errs", "internal/httpx"},
	"internal/dialect/bearer":               {"internal/account", "internal/errs", "internal/httpx"},
	"internal/dialect/liveauth":             {"gen/liveauth", "internal/pydantic", "internal/dialect/bearer", "internal/account", "internal/access", "internal/ledger", "internal/media", "internal/errs", "internal/httpx"},
	"internal/dialect/appserver":            {"gen/appserver", "internal/dialect/bearer", "internal/account", "internal/room", "internal/jump", "internal/im", "internal/vod", "internal/errs", "internal/httpx"},
	"internal/dialect/ipchub":               {"gen/ipchub", "internal/account", "internal/route", "internal/ledger", "internal/media", "internal/errs", "internal/httpx"},
	"internal/dialect/stagedoor":            {"internal/finding", "internal/overview", "internal/urlsign", "internal/webhook", "internal/event", "internal/room", "internal/ledger", "internal/evict", "internal/access", "internal/explain", "internal/refusal", "gen/stagedoor", "internal/relay", "internal/dialect/bearer", "internal/account", "internal/node", "internal/media", "internal/errs", "internal/httpx"},
	"internal/dialect/ops":                  {"gen/ops", "internal/account", "internal/errs", "internal/httpx"},
	"internal/dialect/volcengine":           {"gen/volcengine", "internal/account", "internal/access", "internal/ledger", "internal/media", "internal/urlsign", "internal/errs", "internal/httpx"},
	"internal/dialect/volcengine/signature": {},
	"internal/dbtest":                       {"internal/pg", "internal/seal", "schema"},
	"internal/dbtest/withpostgres":          {"internal/pg", "internal/dbtest"},
	"internal/console":                      {"internal/finding", "internal/errs", "internal/httpx"},
	"internal/spectest":                     {},
	"internal/media/mediatest":              {"internal/media", "internal/errs", "internal/httpx"},
	"internal/dialect/dialecttest":          {"internal", "gen"},
	"internal/bench":                        {"internal", "gen", "schema"},
	"internal/e2e":                          {"internal", "gen", "schema"},
}

func TestImportsFollowTheLayout(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`,
		module+"cmd/...", module+"internal/...", module+"gen/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module)
		for _, imported := range fields[1:] {
			path, ours := strings.CutPrefix(imported, module)
			if ours && !mayImport(pkg, path) {
				t.Errorf("%s imports %s", pkg, path)
			}
		}
	}
}

func mayImport(pkg, path string) bool {
	if within(path, pkg) {
		return true
	}
	for _, prefix := range rulesOf(pkg) {
		if within(path, prefix) {
			return true
		}
	}
	return false
}

// rulesOf finds the entry of a package or of its nearest parent.
func rulesOf(pkg string) []string {
	for {
		if rules, ok := allowed[pkg]; ok {
			return rules
		}
		i := strings.LastIndexByte(pkg, '/')
		if i < 0 {
			return nil
		}
		pkg = pkg[:i]
	}
}

func within(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }
