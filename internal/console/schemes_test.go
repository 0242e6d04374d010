package console

import (
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// scheme is an entry of the schemes of ruledeeds.js.
var scheme = regexp.MustCompile(`(\w+): \[([^\]]*)\]`)

// words are the names of options as people write them, by those of Schemes.
var words = map[string]string{"signature_param": "param-signature", "time_param": "param-time", "time_base": "time-base", "format": "url-format",
	"path_prefix": "path-prefix", "param_prefix": "param-prefix", "key_id": "key-name"}

func TestNewRulesOfferEveryScheme(t *testing.T) {
	t.Parallel()
	script, err := fs.ReadFile(Files(), "ruledeeds.js")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(script), "export const schemes = {")
	list, _, _ = strings.Cut(list, "};")
	offered, known := map[string]string{}, map[string]string{}
	for _, m := range scheme.FindAllStringSubmatch(list, -1) {
		offered[m[1]] = sorted(strings.Split(strings.ReplaceAll(m[2], "'", ""), ", "))
	}
	for _, s := range urlsign.Schemes() {
		var options []string
		for _, o := range s.Options {
			if word, other := words[o]; other {
				o = word
			}
			options = append(options, o)
		}
		known[s.Name] = sorted(options)
	}
	if !maps.Equal(offered, known) {
		t.Errorf("the console offers\n%v, there are\n%v", offered, known)
	}
}

func sorted(list []string) string {
	slices.Sort(list)
	return strings.Join(list, ",")
}
