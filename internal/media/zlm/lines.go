package zlm

import (
	"fmt"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Lines are for config.ini. Without flowThreshold=0 the end of a short session
// is not told; streamNoneReaderDelayMS is how long a pull without viewers lasts.
func Lines(s media.Setup) string {
	var b strings.Builder
	b.WriteString("[general]\n")
	fmt.Fprintf(&b, "mediaServerId=%s\nflowThreshold=0\nstreamNoneReaderDelayMS=300000\n\n", s.Node)
	b.WriteString("[hook]\nenable=1\n")
	for _, event := range []string{"on_publish", "on_play", "on_flow_report", "on_stream_changed", "on_stream_not_found",
		"on_stream_none_reader", "on_record_mp4", "on_server_started", "on_server_exited"} {
		fmt.Fprintf(&b, "%s=%s\n", event, s.URL("/callback/zlmediakit/"+event))
	}
	b.WriteString("timeoutSec=10\nretry=1\nretry_delay=3")
	return b.String()
}
