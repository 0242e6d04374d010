package nms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// notification is what the server posts. What it does not know it leaves out.
type notification struct {
	ID         string  `json:"id"`
	IP         string  `json:"ip"` // with the port; a relay's is that of the remote server
	App        string  `json:"app"`
	Name       string  `json:"name"`
	Query      query   `json:"query"`
	Protocol   string  `json:"protocol"`
	CreateTime float64 `json:"createtime"` // milliseconds since 1970
	EndTime    float64 `json:"endtime"`    // the same, 0 while it runs
	InBytes    float64 `json:"inbytes"`
	OutBytes   float64 `json:"outbytes"`
	FilePath   string  `json:"filePath"`
	Action     string  `json:"action"`
}

// handshake is how many bytes an RTMP client has sent at least before it can
// publish. The server counts none of them for its own pulls.
const handshake = 1 + 2*1536

var (
	sessionID = regexp.MustCompile(`^[0-9a-z]{9,32}$`)
	errNoID   = errors.New("field id is no session's")
)

// decode turns a notification into an event.
func decode(body []byte) (media.Event, error) {
	var n notification
	if err := json.Unmarshal(body, &n); err != nil {
		return media.Event{}, fmt.Errorf("not the JSON of a notification: %w", err)
	}
	if !sessionID.MatchString(n.ID) {
		return media.Event{}, errNoID
	}
	ev := media.Event{
		ClientID: n.ID,
		Stream:   media.Stream{Vhost: media.DefaultVhost, App: n.App, Name: n.Name},
		Address:  address(n.IP),
		Protocol: protocol(n.Protocol),
		Query:    n.Query.String(),
	}
	switch n.Action {
	case "prePublish", "postPublish":
		ev.Action, ev.Relay, ev.Resumes = media.Publishing, n.isPull(), n.resumes()
	case "prePlay", "postPlay":
		ev.Action = media.Playing
	case "donePublish", "donePlay":
		n.done(&ev)
	case "postRecord":
		ev.Action = media.Informed
	case "doneRecord":
		n.recorded(&ev)
	default:
		return media.Event{}, fmt.Errorf("action %.32q is unknown", n.Action)
	}
	if ev.Action.Asks() {
		// What comes before the server's own check only asks. A client without a
		// stream is about to be cut off by the server.
		ev.Fact = strings.HasPrefix(n.Action, "post") && n.App != "" && n.Name != ""
		ev.Tentative = !ev.Fact
	}
	return ev, nil
}

// done is about the whole connection: the server says donePlay of a publisher
// that it refused, and also of a connection that never said what it wants, of
// which nothing is kept.
func (n notification) done(ev *media.Event) {
	ev.Action = media.Disconnected
	if n.App == "" && n.Name == "" {
		ev.Action = media.Informed
	}
	ev.BytesIn, ev.BytesOut = count(n.InBytes), count(n.OutBytes)
	ev.Ended = clock(n.EndTime)
}

// recorded has no client: the id is the recorder's, and who was recorded is not
// told.
func (n notification) recorded(ev *media.Event) {
	ev.Action, ev.ClientID, ev.Protocol = media.Recorded, "", ""
	ev.File = n.FilePath
	ev.Began, ev.Ended = clock(n.CreateTime), clock(n.EndTime)
	if !ev.Began.IsZero() && ev.Ended.After(ev.Began) {
		ev.Duration = ev.Ended.Sub(ev.Began).Seconds()
	}
}

// isPull recognises the server's own pulls by what no client can bring about:
// nobody can publish by RTSP, nor by RTMP without a handshake, nor after an end.
func (n notification) isPull() bool {
	return n.Protocol == "rtsp" || n.Protocol == "rtmp" && (n.InBytes < handshake || n.EndTime != 0)
}

// resumes says whether the session took a stream over from an earlier one: it
// then has the start of that one, but an id that tells its own.
func (n notification) resumes() bool {
	born, err := strconv.ParseInt(n.ID[:len(n.ID)-8], 36, 64)
	return err == nil && n.Action == "postPublish" && n.CreateTime > 0 && float64(born)-n.CreateTime > 100
}

// clock reads milliseconds since 1970; the zero time for what is none.
func clock(millis float64) time.Time {
	const year9999 = 253_402_300_799_000
	if millis <= 0 || millis > year9999 {
		return time.Time{}
	}
	return time.UnixMilli(int64(millis)).UTC()
}

func count(bytes float64) int64 { return int64(max(0, min(bytes, 1<<53))) }

func protocol(name string) string {
	if name == "flv" { // over HTTP or WebSocket
		return "http-flv"
	}
	return name
}

// address drops the port, and the user of a relay's URL. An IPv6 address has no
// brackets here.
func address(ip string) string {
	if strings.Contains(ip, "://") {
		return media.URLHost(ip)
	}
	host := ip[:max(strings.LastIndexByte(ip, ':'), 0)]
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String()
	}
	return host
}

// query is the client's query, which the server has taken apart: keys in order,
// each with its values.
type query []parameter

type parameter struct{ key, value string }

// UnmarshalJSON reads an object of texts and lists of texts. Whatever else it
// holds no query can hold, and is left out.
func (q *query) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	open, err := d.Token()
	if err != nil || open != json.Delim('{') {
		return err // a query that is none is as good as empty
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		var one string
		var many []string
		switch {
		case json.Unmarshal(raw, &one) == nil && string(raw) != "null":
			many = []string{one}
		case json.Unmarshal(raw, &many) != nil:
			continue
		}
		for _, value := range many {
			*q = append(*q, parameter{key.(string), value})
		}
	}
	return nil
}

// String writes the query as a client would.
func (q query) String() string {
	var b strings.Builder
	for i, p := range q {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.key))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p.value))
	}
	return b.String()
}
