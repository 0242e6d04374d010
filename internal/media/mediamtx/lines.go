package mediamtx

import (
	"fmt"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Lines are for mediamtx.yml. Each is complete: settings of the same name in the
// file have to go.
func Lines(s media.Setup) string {
	var b strings.Builder
	fmt.Fprintf(&b, `authMethod: http
authHTTPAddress: '%s'
# Who reaches the API may use it: keep it on an address that only Stagedoor reaches.
authHTTPExclude: [{action: api}, {action: metrics}, {action: pprof}]
api: yes
apiAddress: 127.0.0.1:9997
runOnDisconnect: %s
pathDefaults:
  overridePublisher: no
  runOnUnavailable: %s
  runOnRead: %s
  runOnUnread: %s
  runOnRecordSegmentComplete: %s
paths:
  all_others:`,
		s.URL(callbackPath),
		command(s, hookDisconnect, "type", "$MTX_CONN_TYPE", "id", "$MTX_CONN_ID"),
		command(s, hookUnavailable, "path", "$MTX_PATH", "type", "$MTX_SOURCE_TYPE", "id", "$MTX_SOURCE_ID"),
		command(s, hookRead, "path", "$MTX_PATH", "type", "$MTX_READER_TYPE", "id", "$MTX_READER_ID", "query", "$MTX_QUERY"),
		command(s, hookUnread, "path", "$MTX_PATH", "type", "$MTX_READER_TYPE", "id", "$MTX_READER_ID"),
		command(s, hookRecorded, "path", "$MTX_PATH", "file", "$MTX_SEGMENT_PATH", "duration", "$MTX_SEGMENT_DURATION"))
	return b.String()
}

const (
	callbackPath = "/callback/mediamtx"
	eventPath    = callbackPath + "/event"
)

// command is a line that posts a form. MediaMTX splits it into arguments before
// it puts the values in, and runs no shell, so that no value can become another
// argument; curl escapes what follows the first "=" of each field, so that none
// can become another field either.
func command(s media.Setup, event string, fields ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "'curl -fsS -m 5 --retry 3 --retry-connrefused -d event=%s", event)
	for i := 0; i < len(fields); i += 2 {
		fmt.Fprintf(&b, " --data-urlencode %s=%s", fields[i], fields[i+1])
	}
	fmt.Fprintf(&b, " %s'", s.URL(eventPath))
	return b.String()
}
