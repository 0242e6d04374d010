package nginxrtmp

import (
	"fmt"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Lines are for an application of nginx-rtmp. on_update is left out: it closes
// every live session when we are away for longer than one period.
func Lines(s media.Setup) string {
	var b strings.Builder
	for _, event := range []string{"on_publish", "on_publish_done", "on_play", "on_play_done", "on_record_done"} {
		fmt.Fprintf(&b, "%-15s %s;\n", event, s.URL("/callback/nginx-rtmp"))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
