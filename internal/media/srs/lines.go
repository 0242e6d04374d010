package srs

import (
	"fmt"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Lines are for a vhost of SRS.
func Lines(s media.Setup) string {
	var b strings.Builder
	b.WriteString("http_hooks {\n    enabled on;\n")
	for _, event := range []string{"on_connect", "on_close", "on_publish", "on_unpublish", "on_play", "on_stop", "on_dvr"} {
		fmt.Fprintf(&b, "    %-12s %s;\n", event, s.URL("/callback/"+event))
	}
	b.WriteString("}")
	return b.String()
}
