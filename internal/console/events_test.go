package console

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/event"
)

// family is one line of webhookdeeds.js: what is told of, and what happens to it.
var family = regexp.MustCompile(`(?m)^  (\w+): \[('[^\]]+)\],$`)

func TestWebhooksOfferEveryTypeOfEvent(t *testing.T) {
	t.Parallel()
	script, err := fs.ReadFile(Files(), "webhookdeeds.js")
	if err != nil {
		t.Fatal(err)
	}
	var offered []event.Type
	for _, m := range family.FindAllStringSubmatch(string(script), -1) {
		for verb := range strings.SplitSeq(m[2], ", ") {
			offered = append(offered, event.Type(m[1]+"."+strings.Trim(verb, "'")))
		}
	}
	if !slices.Equal(offered, event.Types) {
		t.Errorf("the console offers %v, there are %v", offered, event.Types)
	}
}
