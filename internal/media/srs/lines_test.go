package srs

import (
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

func TestLinesAreHooksAndTheAPI(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		setup media.Setup
		want  []string
		not   string
	}{
		"the local node": {media.Setup{Base: "http://127.0.0.1:8080"}, []string{"on_dvr       http://127.0.0.1:8080/callback/on_dvr;", "listen 127.0.0.1:1985;"}, "Anybody"},
		"an edge": {media.Setup{Base: "http://10.0.0.2", Secret: "abc", ControlURL: "http://10.0.0.5:2985"},
			[]string{"on_publish   http://10.0.0.2/callback/on_publish?secret=abc;", "listen 10.0.0.5:2985;", "# Anybody who reaches the port"}, "auth {"},
		"a name":         {media.Setup{ControlURL: "http://srs.example.com:2985"}, []string{"listen 2985;"}, "srs.example.com:2985;"},
		"with a user":    {media.Setup{ControlURL: "http://10.0.0.5:2985", Username: "ops"}, []string{"username ops;", "auth {"}, "Anybody"},
		"a strange user": {media.Setup{ControlURL: "http://10.0.0.5:2985", Username: "a; b }"}, []string{"listen 10.0.0.5:2985;"}, "a; b"},
		"behind a proxy": {media.Setup{ControlURL: "https://srs.example.com"}, []string{"not plain http"}, "http_api {"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := Lines(c.setup)
			for _, want := range c.want {
				if !strings.Contains(lines, want) {
					t.Errorf("no %q in\n%s", want, lines)
				}
			}
			if strings.Contains(lines, c.not) {
				t.Errorf("%q in\n%s", c.not, lines)
			}
			if strings.Count(lines, "{") != strings.Count(lines, "}") {
				t.Errorf("unbalanced:\n%s", lines)
			}
		})
	}
}
