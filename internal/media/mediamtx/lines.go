package mediamtx

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

const (
	callbackPath = "/callback/mediamtx"
	eventPath    = callbackPath + "/event"

	defaultAPI = "127.0.0.1:9997"
)

// Lines are for mediamtx.yml. They take the place of the settings of the same
// name there.
func Lines(s media.Setup) string {
	var b strings.Builder
	b.WriteString("authMethod: http\n")
	fmt.Fprintf(&b, "authHTTPAddress: '%s'\n", s.URL(callbackPath))
	b.WriteString(api(s))
	fmt.Fprintf(&b, "runOnDisconnect: %s\n", command(s, hookDisconnect, "type", "$MTX_CONN_TYPE", "id", "$MTX_CONN_ID"))
	b.WriteString("pathDefaults:\n  overridePublisher: no\n")
	for _, l := range []struct{ name, line string }{
		{"runOnUnavailable", command(s, hookUnavailable, "path", "$MTX_PATH", "type", "$MTX_SOURCE_TYPE", "id", "$MTX_SOURCE_ID")},
		{"runOnRead", command(s, hookRead, "path", "$MTX_PATH", "type", "$MTX_READER_TYPE", "id", "$MTX_READER_ID", "query", "$MTX_QUERY")},
		{"runOnUnread", command(s, hookUnread, "path", "$MTX_PATH", "type", "$MTX_READER_TYPE", "id", "$MTX_READER_ID")},
		{"runOnRecordSegmentComplete", command(s, hookRecorded, "path", "$MTX_PATH", "file", "$MTX_SEGMENT_PATH", "duration", "$MTX_SEGMENT_DURATION")},
	} {
		fmt.Fprintf(&b, "  %s: %s\n", l.name, l.line)
	}
	b.WriteString("paths:\n  all_others:")
	return b.String()
}

// api opens the control API where the node's control URL is. With a name and a
// password MediaMTX asks us about whoever uses it, and only we know them;
// without, it is open to all who reach it.
func api(s media.Setup) string {
	exclude, address := "{action: api}, {action: metrics}, {action: pprof}", defaultAPI
	note := "# Whoever reaches the API may use it: keep it where only Stagedoor does, or give the\n# node a control username and password.\n"
	if s.Username != "" {
		exclude, note = "{action: metrics}, {action: pprof}", ""
	}
	if u, err := url.Parse(s.ControlURL); err == nil && u.Port() != "" {
		address = u.Host
	}
	return note + "authHTTPExclude: [" + exclude + "]\napi: yes\napiAddress: '" + address + "'\n"
}

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
