package nms

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
)

const path = "/callback/node-media-server"

func TestConformance(t *testing.T) {
	t.Parallel()
	mediatest.Run(t, mediatest.Suite{
		New:             routes,
		Recordings:      recordings(t),
		Exchanges:       exchanges(),
		Bad:             badRequests(),
		Publish:         publishing,
		Query:           rewritten,
		Unauthenticated: refused(403, "callback_unauthenticated"),
	})
}

func routes(l media.Ledger, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+path, Hooks{Ledger: l, Log: log}.NodeMediaServerCallback)
	return mux
}

// posted returns a request as the server sends it.
func posted(body string) mediatest.Payload {
	return mediatest.Payload{Path: path, Header: http.Header{"Content-Type": {"text/plain;charset=UTF-8"}, "User-Agent": {"node"}}, Body: body}
}

// event is what the server says of an action, with some fields changed.
func event(action string, changes ...any) string {
	fields := map[string]any{"id": "mwr2syiev5r5kqwc", "ip": "127.0.0.1:47866", "app": "live", "name": "room1", "query": map[string]any{},
		"protocol": "rtmp", "createtime": 1795305941948, "endtime": 0, "inbytes": 3477, "outbytes": 0, "filePath": "", "action": action}
	for i := 0; i < len(changes); i += 2 {
		fields[changes[i].(string)] = changes[i+1]
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// parameters takes a query apart as node:querystring does: no escape is wrong,
// and a plus is a blank.
func parameters(q string) (pairs [][2]string) {
	unescape := func(s string) string {
		s = strings.ReplaceAll(s, "+", " ")
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] == '%' && i+2 < len(s) {
				if c, err := url.PathUnescape(s[i : i+3]); err == nil {
					b.WriteString(c)
					i += 2
					continue
				}
			}
			b.WriteByte(s[i])
		}
		return b.String()
	}
	for part := range strings.SplitSeq(q, "&") {
		if part != "" {
			key, value, _ := strings.Cut(part, "=")
			pairs = append(pairs, [2]string{unescape(key), unescape(value)})
		}
	}
	return pairs
}

// publishing is the client's wish as the server posts it: parameters are an
// object in the order of their first mention.
func publishing(q string) mediatest.Payload {
	var keys []string
	values := map[string][]string{}
	for _, p := range parameters(q) {
		if !slices.Contains(keys, p[0]) {
			keys = append(keys, p[0])
		}
		values[p[0]] = append(values[p[0]], p[1])
	}
	var members []string
	for _, k := range keys {
		key, _ := json.Marshal(k)
		var value []byte
		if len(values[k]) == 1 {
			value, _ = json.Marshal(values[k][0])
		} else {
			value, _ = json.Marshal(values[k])
		}
		members = append(members, string(key)+":"+string(value))
	}
	return posted(strings.Replace(event("postPublish"), `"query":{}`, `"query":{`+strings.Join(members, ",")+`}`, 1))
}

// rewritten is a query after the server has taken it apart and we have put it
// together again. None that the suite uses repeats a key in two places.
func rewritten(q string) string {
	var parts []string
	for _, p := range parameters(q) {
		parts = append(parts, url.QueryEscape(p[0])+"="+url.QueryEscape(p[1]))
	}
	return strings.Join(parts, "&")
}

func allowed() mediatest.Reply { return mediatest.Reply{Status: 200} }

func refused(status int, reason string) mediatest.Reply {
	return mediatest.Reply{Status: status, ContentType: "application/json", Body: `{"detail":"` + reason + `"}`}
}

func exchanges() []mediatest.Exchange {
	allow := media.Verdict{Allow: true, Reason: media.Allowed}
	deny := media.Verdict{Reason: media.TokenExpired}
	down := errors.New("connection refused")
	unavailable := refused(503, "temporarily_unavailable")

	var list []mediatest.Exchange
	add := func(name, body string, v media.Verdict, err error, want mediatest.Reply) {
		list = append(list, mediatest.Exchange{Name: name, Payload: posted(body), Verdict: v, Err: err, Want: want})
	}
	for _, action := range []string{"prePublish", "postPublish", "prePlay", "postPlay"} {
		add(action+" allowed", event(action), allow, nil, allowed())
		add(action+" of a repetition", event(action), media.Verdict{Allow: true, Reason: media.Duplicate}, nil, allowed())
		add(action+" refused", event(action), deny, nil, refused(403, "token_expired"))
		add(action+" fails closed", event(action), allow, down, unavailable)
		add(action+" undecided", event(action), media.Verdict{Reason: media.TemporarilyUnavailable}, nil, unavailable)
		add(action+" without a stream", event(action, "app", "", "name", ""), media.Verdict{Reason: media.InvalidStream}, nil, refused(403, "invalid_stream"))
	}
	for action, body := range map[string]string{
		"donePublish": event("donePublish", "endtime", 1795305954161), "donePlay": event("donePlay", "endtime", 1795305954161),
		"donePlay of a bare connection": event("donePlay", "app", "", "name", ""),
		"postRecord":                    event("postRecord", "ip", "", "filePath", "record/a.flv"),
		"doneRecord":                    event("doneRecord", "ip", "", "filePath", "record/a.flv", "endtime", 1795305954161),
	} {
		add(action+" recorded", body, media.Verdict{}, nil, allowed())
		add(action+" recorded with a refusal that nobody asked for", body, deny, nil, allowed())
		add(action+" of nobody", body, media.Verdict{Reason: media.Unauthenticated}, nil, refused(403, "callback_unauthenticated"))
		add(action+" not recorded", body, allow, down, unavailable)
	}
	return append(list,
		mediatest.Exchange{Name: "no content type is fine", Payload: posted(event("postPlay")).With("Content-Type", ""), Verdict: allow, Want: allowed()},
		mediatest.Exchange{Name: "JSON that says so is fine", Payload: posted(event("postPlay")).With("Content-Type", "application/json"), Verdict: allow, Want: allowed()})
}

func badRequests() []mediatest.BadRequest {
	malformed := refused(422, "")
	malformed.Body = `{"detail":[{"loc":["body"],"msg":"not a notification of Node-Media-Server","type":"value_error"}]}`
	var list []mediatest.BadRequest
	add := func(name string, p mediatest.Payload, want mediatest.Reply) {
		list = append(list, mediatest.BadRequest{Name: name, Payload: p, Want: want})
	}
	for name, body := range map[string]string{
		"empty body":         "",
		"a form":             "action=postPublish&id=mwr2syiev5r5kqwc",
		"a list":             "[" + event("postPublish") + "]",
		"cut off":            event("postPublish")[:60],
		"two":                event("postPublish") + event("postPublish"),
		"no action":          event(""),
		"unknown action":     event("postpublish"),
		"no id":              event("postPublish", "id", ""),
		"id is a number":     event("postPublish", "id", 7),
		"id with a path":     event("postPublish", "id", "../sessions"),
		"id too short":       event("postPublish", "id", "abcdefgh"),
		"id beyond all":      event("postPublish", "id", strings.Repeat("a", 33)),
		"name is a list":     event("postPublish", "name", []string{"room1"}),
		"createtime is text": event("postPublish", "createtime", "now"),
	} {
		add(name, posted(body), malformed)
	}
	add("a form's content type", posted(event("postPublish")).With("Content-Type", "application/x-www-form-urlencoded"), malformed)
	add("nonsense content type", posted(event("postPublish")).With("Content-Type", ";;"), malformed)
	add("more than the limit", posted(event("postPublish", "query", map[string]string{"a": strings.Repeat("a", maxBody)})), refused(413, "body_too_large"))
	return list
}

// capture is a recorded series of notifications, and of questions to the API.
type capture struct {
	Events []struct {
		Request struct {
			Body json.RawMessage `json:"body_json"`
		}
	}
	Observed struct {
		API       []exchange
		Exchanges []exchange
	}
}

type exchange struct {
	Request struct {
		Method, URL, Body string
	}
	Response struct {
		Status int
		Body   string
		JSON   json.RawMessage `json:"body_json"`
	}
	Note string
}

func (e exchange) text() string {
	if e.Response.JSON != nil {
		return string(e.Response.JSON)
	}
	return e.Response.Body
}

func load(t testing.TB, name string) capture {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "captures", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var c capture
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func captures() []string {
	return []string{"01-lifecycle-allow", "02-prepublish-403", "04-bare-tcp-connection", "05-second-publisher", "06-reconnect-within-grace",
		"07-kick", "08b-relay-pull-before-source", "09-manual-record", "10-odd-queries"}
}

func recordings(t testing.TB) []mediatest.Recording {
	t.Helper()
	var list []mediatest.Recording
	for _, name := range captures() {
		r := mediatest.Recording{Name: name}
		for _, e := range load(t, name).Events {
			var said struct{ Action, Name string }
			if err := json.Unmarshal(e.Request.Body, &said); err != nil {
				t.Fatal(err)
			}
			p := posted(string(e.Request.Body))
			p.Name = said.Action + " " + said.Name
			r.Payloads = append(r.Payloads, p)
		}
		list = append(list, r)
	}
	return list
}

func serve(t *testing.T, h Hooks, body string) {
	t.Helper()
	h.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	r := httptest.NewRequestWithContext(media.WithNode(t.Context(), media.Node{Name: "edge-1"}), http.MethodPost, path, strings.NewReader(body))
	h.NodeMediaServerCallback(httptest.NewRecorder(), r)
}

type known map[string]bool

func (k known) IsRelay(_ context.Context, n media.Node, id string) bool {
	return n.Name == "edge-1" && k[id]
}

// Only the server itself can tell a pull whose first pictures have come already.
func TestAPublisherWithoutCredentialMayBeAPull(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body  string
		relay bool
	}{
		"a pull":                         {event("postPublish", "inbytes", 28588), true},
		"before it is recorded":          {event("prePublish", "inbytes", 28588), true},
		"somebody else":                  {event("postPublish", "id", "mwr2syiexxxxxxxx"), false},
		"with a query it is a client":    {event("postPublish", "query", map[string]string{"token": "x"}), false},
		"a player is none":               {event("postPlay"), false},
		"publishing over HTTP it is not": {event("postPublish", "protocol", "flv"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &mediatest.Ledger{Verdict: media.Verdict{Allow: true}}
			serve(t, Hooks{Ledger: l, Relays: known{"mwr2syiev5r5kqwc": true}}, c.body)
			if heard := l.Heard(); len(heard) != 1 || heard[0].Relay != c.relay {
				t.Errorf("heard %+v", heard)
			}
		})
	}
}
