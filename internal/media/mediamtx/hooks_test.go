package mediamtx

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	mediatest.Run(t, mediatest.Suite{
		New:             routes,
		Recordings:      recordings(t),
		Exchanges:       exchanges(),
		Bad:             badRequests(),
		Publish:         func(query string) mediatest.Payload { return asking(question("protocol", "rtsp", "query", query)) },
		Unauthenticated: refused(403, "callback_unauthenticated"),
	})
}

func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func routes(l media.Ledger, log *slog.Logger) http.Handler { return mounted(NewHooks(l, log, noon)) }

func mounted(h *Hooks) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+callbackPath, h.MediamtxCallback)
	mux.HandleFunc("POST "+eventPath, h.MediamtxEvent)
	return mux
}

const session = "442ced48-60fe-4a65-8410-a771b25eb076"

// question is what MediaMTX asks about a publisher, with some fields changed.
func question(changes ...any) string {
	fields := map[string]any{"ip": "192.0.2.7", "user": "", "password": "", "token": "", "action": "publish", "path": "live/room1",
		"protocol": "rtmp", "id": session, "query": "token=abc", "userAgent": "Lavf59"}
	for i := 0; i < len(changes); i += 2 {
		fields[changes[i].(string)] = changes[i+1]
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func asking(body string) mediatest.Payload {
	return mediatest.Payload{Path: callbackPath, Header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Go-http-client/1.1"}}, Body: body}
}

// report is what curl posts for the fields of one of our lines.
func report(fields ...string) mediatest.Payload {
	var pairs []string
	for i := 0; i < len(fields); i += 2 {
		pairs = append(pairs, fields[i]+"="+url.QueryEscape(fields[i+1]))
	}
	return mediatest.Payload{Path: eventPath, Body: strings.Join(pairs, "&"),
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {"curl/8.5.0"}}}
}

func allowed() mediatest.Reply { return mediatest.Reply{Status: 200} }

func refused(status int, reason string) mediatest.Reply {
	return mediatest.Reply{Status: status, ContentType: "application/json", Body: `{"detail":"` + reason + `"}`}
}

func exchanges() []mediatest.Exchange {
	allow, down := media.Verdict{Allow: true, Reason: media.Allowed}, errors.New("connection refused")
	deny := media.Verdict{Reason: media.TokenExpired}
	bare := media.Verdict{Reason: media.NoCredential}
	unavailable := refused(503, "temporarily_unavailable")
	var list []mediatest.Exchange
	add := func(name string, p mediatest.Payload, v media.Verdict, err error, want mediatest.Reply) {
		list = append(list, mediatest.Exchange{Name: name, Payload: p, Verdict: v, Err: err, Want: want})
	}
	for _, action := range []string{"publish", "read", "playback"} {
		ask := asking(question("action", action))
		add(action+" allowed", ask, allow, nil, allowed())
		add(action+" refused", ask, deny, nil, refused(403, "token_expired"))
		add(action+" fails closed", ask, allow, down, unavailable)
		add(action+" undecided", ask, media.Verdict{Reason: media.TemporarilyUnavailable}, nil, unavailable)
		add(action+" of a client that has shown nothing", asking(question("action", action)), bare, nil, refused(401, "no_credential"))
		add(action+" of a client that has shown all it has", asking(question("action", action, "user", "a", "password", "b")), bare, nil,
			refused(403, "no_credential"))
	}
	for name, p := range map[string]mediatest.Payload{
		"disconnect":  report("event", "disconnect", "type", "rtmpConn", "id", session),
		"unavailable": report("event", "unavailable", "path", "live/room1", "type", "rtmpConn", "id", session),
		"read":        report("event", "read", "path", "live/room1", "type", "hlsSession", "id", session, "query", "a%3Db"),
		"unread":      report("event", "unread", "path", "live/room1", "type", "hlsSession", "id", session),
		"recorded":    report("event", "recorded", "path", "live/room1", "file", "./a b.mp4", "duration", "4.02"),
	} {
		add(name+" taken", p, allow, nil, allowed())
		add(name+" not recorded", p, allow, down, unavailable)
		add(name+" of nobody", p, media.Verdict{Reason: media.Unauthenticated}, nil, refused(403, "callback_unauthenticated"))
	}
	return list
}

func badRequests() []mediatest.BadRequest {
	fault := mediatest.Reply{Status: 422, ContentType: "application/json",
		Body: `{"detail":[{"loc":["body"],"msg":"not a call of MediaMTX","type":"value_error"}]}`}
	var list []mediatest.BadRequest
	add := func(name string, p mediatest.Payload, want mediatest.Reply) {
		list = append(list, mediatest.BadRequest{Name: name, Payload: p, Want: want})
	}
	for name, body := range map[string]string{
		"no JSON": "{", "empty": "", "an array": "[]", "null": "null", "a number for a path": question("path", 7),
		"no path": question("path", ""), "no action": question("action", ""), "another action": question("action", "reboot"),
	} {
		add(name, asking(body), fault)
	}
	for name, p := range map[string]mediatest.Payload{
		"no event":                 report("path", "live/room1"),
		"another event":            report("event", "reboot", "path", "live/room1", "id", session),
		"read by nobody":           report("event", "read", "path", "live/room1", "type", "hlsSession", "id", ""),
		"read of nothing":          report("event", "read", "path", "", "type", "hlsSession", "id", session),
		"a recording without file": report("event", "recorded", "path", "live/room1"),
		"nobody disconnects":       report("event", "disconnect", "type", "rtmpConn"),
		"an escape that is none":   {Path: eventPath, Header: report().Header, Body: "event=%zz"},
		"a form for a question":    {Path: callbackPath, Header: report().Header, Body: question()},
		"a question for a form":    {Path: eventPath, Header: asking("").Header, Body: question()},
	} {
		add(name, p, fault)
	}
	add("too large", asking(question("query", strings.Repeat("x", maxBody))), refused(413, "body_too_large"))
	add("metrics", asking(question("action", "metrics", "user", "a", "password", "b")), refused(403, "no_right"))
	add("the API", asking(question("action", "api", "path", "", "user", "a", "password", "b")), refused(403, "no_right"))
	add("the API, first call", asking(question("action", "api", "path", "", "token", "")), refused(401, "no_credential"))
	return list
}

// capture is what a MediaMTX asked, and the environment of what it ran.
type capture struct {
	Events []struct {
		Ask  json.RawMessage
		Hook string
		Env  map[string]string
	}
}

func load(t testing.TB, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "captures", name))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func captures(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/captures/[0-9]*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	return files
}

func recordings(t testing.TB) []mediatest.Recording {
	t.Helper()
	var list []mediatest.Recording
	for _, file := range captures(t) {
		var c capture
		load(t, filepath.Base(file), &c)
		r := mediatest.Recording{Name: strings.TrimSuffix(filepath.Base(file), ".json")}
		for _, e := range c.Events {
			if p, ok := payload(e.Ask, e.Hook, e.Env); ok {
				r.Payloads = append(r.Payloads, p)
			}
		}
		list = append(list, r)
	}
	return list
}

// payload is what our configuration makes of an event; it does not report all.
func payload(ask json.RawMessage, hook string, env map[string]string) (mediatest.Payload, bool) {
	if hook == "" {
		p := asking(string(ask))
		p.Name = "question"
		return p, true
	}
	setting := map[string]string{"disconnect": "runOnDisconnect", "unavailable": "runOnUnavailable", "read": "runOnRead", "unread": "runOnUnread",
		"record_segment_complete": "runOnRecordSegmentComplete"}[hook]
	if setting == "" {
		return mediatest.Payload{}, false
	}
	return run(setting, env), true
}

// run does what MediaMTX and curl do with one of our lines: split it, put the
// values in, and post the form.
func run(setting string, env map[string]string) mediatest.Payload {
	for line := range strings.SplitSeq(Lines(media.Setup{Base: "http://127.0.0.1:8080", Secret: "s"}), "\n") {
		name, command, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if name != setting {
			continue
		}
		var pairs []string
		for _, part := range strings.Fields(strings.Trim(command, "'")) {
			field, value, found := strings.Cut(part, "=")
			if found && !strings.Contains(field, "/") {
				pairs = append(pairs, field, os.Expand(value, func(key string) string { return env[key] }))
			}
		}
		p := report(pairs...)
		p.Name = setting
		return p
	}
	panic("no line for " + setting)
}

// door is the hooks behind a node that has been recognised.
type door struct {
	handler http.Handler
	ledger  *mediatest.Ledger
	hooks   *Hooks
	now     time.Time
}

func newDoor(t *testing.T, verdict media.Verdict) *door {
	t.Helper()
	d := &door{ledger: &mediatest.Ledger{Verdict: verdict}, now: noon()}
	d.hooks = NewHooks(d.ledger, slog.New(slog.NewTextHandler(t.Output(), nil)), func() time.Time { return d.now })
	d.handler = mounted(d.hooks)
	return d
}

func (d *door) send(t *testing.T, p mediatest.Payload) int {
	t.Helper()
	n := media.Node{Name: "edge-1", Username: "ops", Password: "let me in"}
	r := httptest.NewRequestWithContext(media.WithNode(t.Context(), n), http.MethodPost, p.Path, strings.NewReader(p.Body))
	r.Header = p.Header
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w.Code
}

// last is the last event that the core heard.
func (d *door) last(t *testing.T) media.Event {
	t.Helper()
	heard := d.ledger.Heard()
	if len(heard) == 0 {
		t.Fatal("the core heard nothing")
	}
	return heard[len(heard)-1]
}

func TestOnlyTheNodesOwnNameAndPasswordOpenItsAPI(t *testing.T) {
	t.Parallel()
	d := newDoor(t, media.Verdict{Allow: true, Reason: media.Allowed})
	for body, want := range map[string]int{
		question("action", "api", "path", "", "user", "ops", "password", "let me in", "token", "let me in"): 200,
		question("action", "api", "path", "", "user", "ops", "password", "let me out"):                      403,
		question("action", "api", "path", "", "user", "", "password", "let me in"):                          403,
		question("action", "api", "path", "", "token", "let me in"):                                         403,
		question("action", "api", "path", "live/room1", "user", "", "password", ""):                         401,
		question("action", "pprof", "path", "", "user", "ops", "password", "let me in"):                     403,
		question("action", "metrics", "path", "", "user", "ops", "password", "let me in"):                   403,
	} {
		if got := d.send(t, asking(body)); got != want {
			t.Errorf("%s: %d, want %d", body, got, want)
		}
	}
	if heard := d.ledger.Heard(); len(heard) != 0 {
		t.Errorf("the core heard %v", heard)
	}
}

func TestAPlayerIsOnRecordOnceAndWithAllThatItShowed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ask       []any
		kind      string
		tentative bool // recorded only by the report
	}{
		"HLS by query":              {[]any{"protocol", "hls", "query", "token=abc"}, "hlsSession", true},
		"HLS by password":           {[]any{"protocol", "hls", "user", "a", "password", "b", "token", "b"}, "hlsSession", false},
		"HLS by bearer":             {[]any{"protocol", "hls", "token", "b"}, "hlsSession", false},
		"WHEP by query":             {[]any{"protocol", "webrtc"}, "webRTCSession", true},
		"RTSP SETUP":                {[]any{"protocol", "rtsp", "user", "a", "password", "b"}, "rtspSession", false},
		"RTSP without a user agent": {[]any{"protocol", "rtsp", "user", "a", "password", "b", "userAgent", ""}, "rtspSession", true},
		"RTMP":                      {[]any{"protocol", "rtmp"}, "rtmpConn", false},
		"SRT":                       {[]any{"protocol", "srt"}, "srtConn", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t, media.Verdict{Allow: true, Reason: media.Allowed})
			d.send(t, asking(question(append([]any{"action", "read"}, c.ask...)...)))
			asked := d.last(t)
			if asked.Tentative != c.tentative {
				t.Errorf("asked %+v", asked)
			}
			d.send(t, report("event", "read", "path", "live/room1", "type", c.kind, "id", session, "query", "token%3Dabc"))
			began := d.last(t)
			if !c.tentative {
				if began.Action != media.Informed {
					t.Errorf("recorded twice: %+v", began)
				}
				return
			}
			want := asked
			want.Tentative, want.Fact, want.Source = false, true, began.Source
			if began != want {
				t.Errorf("got  %+v\nwant %+v", began, want)
			}
		})
	}
}

func TestAReportWithoutItsQuestionIsDecidedByItsQuery(t *testing.T) {
	t.Parallel()
	d := newDoor(t, media.Verdict{Allow: true, Reason: media.Allowed})
	read := report("event", "read", "path", "live/room1", "type", "hlsSession", "id", session, "query", "token%3Da%252Bb")
	d.send(t, read)
	if e := d.last(t); e.Action != media.Playing || e.Query != "token=a%2Bb" || e.Fact || e.Tentative {
		t.Errorf("asked elsewhere: %+v", e)
	}
	d.send(t, asking(question("action", "read", "protocol", "hls")))
	d.now = d.now.Add(admittedFor + time.Second)
	d.send(t, read)
	if e := d.last(t); e.Address != "" || e.Fact {
		t.Errorf("too late: %+v", e)
	}
	d.send(t, asking(question("action", "read", "protocol", "hls")))
	d.send(t, report("event", "unread", "path", "live/room1", "type", "hlsSession", "id", session))
	d.send(t, read)
	if e := d.last(t); e.Address != "" || e.Fact {
		t.Errorf("after it has left: %+v", e)
	}
	d.send(t, report("event", "read", "path", "live/room1", "type", "hlsSession", "id", session))
	if e := d.last(t); e.Action != media.Informed {
		t.Errorf("nothing to decide by: %+v", e)
	}
}

func TestWhoWasRefusedIsNotRemembered(t *testing.T) {
	t.Parallel()
	d := newDoor(t, media.Verdict{Reason: media.TokenUnknown})
	d.send(t, asking(question("action", "read", "protocol", "hls")))
	if code := d.send(t, report("event", "read", "path", "live/room1", "type", "hlsSession", "id", session, "query", "token%3Dabc")); code != 403 {
		t.Errorf("status %d", code)
	}
	if e := d.last(t); e.Address != "" || e.Fact {
		t.Errorf("remembered: %+v", e)
	}
}

func TestWhatIsOnRecordIsRememberedWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	d := newDoor(t, media.Verdict{Allow: true})
	d.send(t, asking(question("action", "read", "protocol", "hls", "user", "a", "password", "b", "token", "b")))
	for _, kept := range d.hooks.admitted.kept.Values() {
		if e := kept.event; e.Password != "" || e.Username != "" || e.Bearer != "" || e.Query != "" {
			t.Errorf("%+v", e)
		}
	}
}

func TestARecordingBeganItsLengthAgo(t *testing.T) {
	t.Parallel()
	d := newDoor(t, media.Verdict{Allow: true})
	d.send(t, report("event", "recorded", "path", "live/room1", "file", "./a.mp4", "duration", "4.5"))
	if e := d.last(t); !e.Began.Equal(noon().Add(-4500 * time.Millisecond)) {
		t.Errorf("%+v", e)
	}
}
