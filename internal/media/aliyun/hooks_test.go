package aliyun

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/callback"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

const path = "/callback/aliyun"

var noon = time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)

func TestConformance(t *testing.T) {
	t.Parallel()
	mediatest.Run(t, mediatest.Suite{
		New:             routes,
		Recordings:      recordings(t),
		Exchanges:       exchanges(),
		Bad:             badRequests(),
		Publish:         func(query string) mediatest.Payload { return status("publish", query, noon) },
		Unauthenticated: refused(403, "callback_unauthenticated"),
	})
}

// handler is Hooks behind the generated parsing of parameters.
type handler struct {
	gen.ServerInterface
	Hooks
}

func (h handler) AliyunCallback(w http.ResponseWriter, r *http.Request, p gen.AliyunCallbackParams) {
	h.Hooks.AliyunCallback(w, r, p)
}

func (h handler) AliyunRecordingCallback(w http.ResponseWriter, r *http.Request, p gen.AliyunRecordingCallbackParams) {
	h.Hooks.AliyunRecordingCallback(w, r, p)
}

func routes(l media.Ledger, log *slog.Logger) http.Handler {
	h := Hooks{Ledger: l, Log: log, Now: func() time.Time { return noon }}
	rt := httpx.NewRouter()
	gen.HandlerWithOptions(handler{Hooks: h}, gen.StdHTTPServerOptions{BaseRouter: rt,
		ErrorHandlerFunc: func(w http.ResponseWriter, r *http.Request, err error) { h.serve(w, r, media.Event{}, err) }})
	return rt
}

func status(action, usrargs string, at time.Time) mediatest.Payload {
	q := url.Values{"action": {action}, "ip": {"192.0.2.10"}, "id": {"room1"}, "app": {"push.example.com"}, "appname": {"live"},
		"time": {strconv.FormatInt(at.Unix(), 10)}, "usrargs": {usrargs}, "node": {"198.51.100.7"}}
	return mediatest.Payload{Method: http.MethodGet, Path: path + "?" + q.Encode()}
}

func recorded(body string) mediatest.Payload {
	return mediatest.Payload{Path: path, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

func noted() mediatest.Reply {
	return mediatest.Reply{Status: 200, ContentType: "application/json", Body: `{"code":200}`}
}

func refused(status int, reason string) mediatest.Reply {
	return mediatest.Reply{Status: status, ContentType: "application/json", Body: `{"detail":"` + reason + `"}`}
}

const aFile = `{"domain":"pull.example.com","app":"live","stream":"room1","uri":"a/b.m3u8","duration":69.4,"start_time":1905249480,"stop_time":1905249549}`

func exchanges() []mediatest.Exchange {
	allow, deny := media.Verdict{Allow: true, Reason: media.Allowed}, media.Verdict{Reason: media.NoCredential}
	var list []mediatest.Exchange
	for name, p := range map[string]mediatest.Payload{"publish": status("publish", "", noon), "publish_done": status("publish_done", "", noon), "file": recorded(aFile)} {
		add := func(what string, v media.Verdict, err error, want mediatest.Reply) {
			list = append(list, mediatest.Exchange{Name: name + " " + what, Payload: p, Verdict: v, Err: err, Want: want})
		}
		add("noted", allow, nil, noted())
		add("noted, though we would have refused it", deny, nil, noted())
		add("not recorded comes again", allow, errors.New("connection refused"), refused(503, "temporarily_unavailable"))
		add("undecided comes again", media.Verdict{Reason: media.TemporarilyUnavailable}, nil, refused(503, "temporarily_unavailable"))
		add("of nobody", media.Verdict{Reason: media.Unauthenticated}, nil, refused(403, "callback_unauthenticated"))
	}
	return list
}

func badRequests() []mediatest.BadRequest {
	malformed := refused(422, "")
	malformed.Body = `{"detail":[{"loc":["query"],"msg":"not a callback of Alibaba Cloud's live service","type":"value_error"}]}`
	var list []mediatest.BadRequest
	for name, p := range map[string]mediatest.Payload{
		"another action":         status("yawn", "", noon),
		"no stream":              {Method: "GET", Path: strings.Replace(status("publish", "", noon).Path, "id=room1", "id=", 1)},
		"no action":              {Method: "GET", Path: strings.Replace(status("publish", "", noon).Path, "action=", "b=", 1)},
		"no application":         {Method: "GET", Path: strings.Replace(status("publish", "", noon).Path, "appname=", "c=", 1)},
		"no domain":              {Method: "GET", Path: strings.Replace(status("publish", "", noon).Path, "app=", "c=", 1)},
		"a time that is none":    {Method: "GET", Path: strings.Replace(status("publish", "", noon).Path, "time=", "time=x", 1)},
		"a time below zero":      {Method: "GET", Path: strings.Replace(status("publish", "", noon).Path, "time=", "time=-", 1)},
		"of the future":          status("publish", "", noon.Add(6*time.Minute)),
		"a file that is none":    recorded(`[]`),
		"a file of no stream":    recorded(strings.Replace(aFile, "room1", "", 1)),
		"a file shorter than 0":  recorded(strings.Replace(aFile, "69.4", "-1", 1)),
		"a file before all time": recorded(strings.Replace(aFile, "1905249480", "-1", 1)),
		"no body":                recorded(""),
	} {
		list = append(list, mediatest.BadRequest{Name: name, Payload: p, Want: malformed})
	}
	return append(list, mediatest.BadRequest{Name: "more than the limit", Payload: recorded(aFile + strings.Repeat(" ", maxBody)), Want: refused(413, "body_too_large")})
}

type payload struct{ Name, Method, Path, Body string }

func recordings(t testing.TB) []mediatest.Recording {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "payloads", "status.json"))
	var list []payload
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := mediatest.Recording{Name: "status"}
	for _, p := range list {
		r.Payloads = append(r.Payloads, mediatest.Payload{Name: p.Name, Method: p.Method, Path: p.Path, Body: p.Body})
	}
	return []mediatest.Recording{r}
}

func TestASignatureIsOfADomainATimeAndAKey(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef0123456789abcdef"
	sign := func(domain string, at time.Time, key string) (stamp, signature string) {
		stamp = strconv.FormatInt(at.Unix(), 10)
		return stamp, urlsign.PushCallbackSignature(domain, stamp, key)
	}
	for name, c := range map[string]struct {
		method, app, domain string
		at                  time.Time
		key                 string
		want                bool
	}{
		"status":                            {"GET", "push.example.com", "push.example.com", noon, key, true},
		"status, domain in capitals":        {"GET", "PUSH.example.com", "push.example.com", noon, key, true},
		"status, of five minutes ago":       {"GET", "push.example.com", "push.example.com", noon.Add(-5 * time.Minute), key, true},
		"status, older":                     {"GET", "push.example.com", "push.example.com", noon.Add(-5*time.Minute - time.Second), key, false},
		"status, of the future":             {"GET", "push.example.com", "push.example.com", noon.Add(6 * time.Minute), key, false},
		"status, another domain":            {"GET", "evil.example.com", "push.example.com", noon, key, false},
		"status, signed for our host":       {"GET", "push.example.com", "door.example.com", noon, key, false},
		"status, another key":               {"GET", "push.example.com", "push.example.com", noon, key + "0", false},
		"recording":                         {"POST", "", "door.example.com", noon, key, true},
		"recording, signed for the domain":  {"POST", "push.example.com", "push.example.com", noon, key, false},
		"recording, with a domain to think": {"POST", "push.example.com", "door.example.com", noon, key, true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, "https://door.example.com"+path+"?app="+c.app, nil)
		stamp, signature := sign(c.domain, c.at, c.key)
		r.Header.Set("ALI-LIVE-TIMESTAMP", stamp)
		r.Header.Set("ALI-LIVE-SIGNATURE", signature)
		if got := Signed(r, []byte(key), noon); got != c.want || !IsSigned(r) {
			t.Errorf("%s: %v", name, got)
		}
		if Signed(r, nil, noon) {
			t.Errorf("%s: no key is one", name)
		}
	}
	if IsSigned(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)) {
		t.Error("nothing is a signature")
	}
}

// Application and domain stand where other servers have them the other way.
func TestAppIsTheDomain(t *testing.T) {
	t.Parallel()
	ev, err := toEvent(gen.AliyunCallbackParams{Action: "publish", App: "Push.Example.com", Appname: "live", ID: "room1", Time: noon.Unix(), IP: "192.0.2.10"})
	if err != nil || ev.Host != "push.example.com" || ev.Stream.App != "live" || ev.Stream.Name != "room1" || !ev.Fact || !ev.At.Equal(noon) {
		t.Errorf("%+v %v", ev, err)
	}
	end, err := toEvent(gen.AliyunCallbackParams{Action: "publish_done", App: "Push.Example.com", Appname: "live", ID: "room1", Time: noon.Unix()})
	if err != nil || end.ClientID != ev.ClientID || end.Stream != ev.Stream || end.Action != media.Unpublished || end.Fact {
		t.Errorf("%+v %v", end, err)
	}
}

func TestLinesShowTheKeyApartFromTheURL(t *testing.T) {
	t.Parallel()
	lines := Lines(media.Setup{Base: "https://door.example.com", Node: "cdn", Secret: "k"})
	if !strings.Contains(lines, "https://door.example.com/callback/aliyun\n") || !strings.Contains(lines, "key: k") {
		t.Error(lines)
	}
	if lines := Lines(media.Setup{Base: "http://127.0.0.1:8080"}); strings.Contains(lines, "key") {
		t.Error(lines)
	}
}

func FuzzRecording(f *testing.F) {
	f.Add(aFile)
	f.Add(`{"app":"live","stream":"x","event":"record_started"}`)
	f.Fuzz(func(t *testing.T, body string) {
		ev, err := recording([]byte(body), noon)
		if err != nil {
			if ev != (media.Event{}) {
				t.Errorf("an event in spite of %v: %+v", err, ev)
			}
			return
		}
		if ev.Stream.App == "" || ev.Stream.Name == "" || (ev.Action == media.Recorded) != (ev.File != "") || ev.Duration < 0 {
			t.Errorf("%+v", ev)
		}
	})
}
