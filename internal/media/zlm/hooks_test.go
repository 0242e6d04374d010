package zlm

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/callback"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
)

const path = "/callback/zlmediakit/"

var noon = time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)

func TestConformance(t *testing.T) {
	t.Parallel()
	mediatest.Run(t, mediatest.Suite{
		New:             routes,
		Recordings:      recordings(t),
		Exchanges:       exchanges(),
		Bad:             badRequests(),
		Publish:         func(query string) mediatest.Payload { return hooked("on_publish", publishing(query)) },
		Unauthenticated: says(refusal(403, "callback_unauthenticated")),
	})
}

func routes(l media.Ledger, log *slog.Logger) http.Handler {
	h := Hooks{Ledger: l, Log: log, Now: func() time.Time { return noon }}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+path+"{event}", func(w http.ResponseWriter, r *http.Request) {
		h.ZlmediakitCallback(w, r, gen.ZlmediakitEventName(r.PathValue("event")))
	})
	return mux
}

// hook returns a request as ZLMediaKit sends it.
func hooked(event, body string) mediatest.Payload {
	return mediatest.Payload{Name: event, Path: path + event, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

func publishing(query string) string {
	params, _ := json.Marshal(query)
	return `{"mediaServerId":"zlm-1","hook_index":4,"id":"2-15","ip":"192.0.2.10","port":41632,"vhost":"__defaultVhost__","app":"live",` +
		`"stream":"room1","schema":"rtmp","protocol":"rtmp","params":` + string(params) + `}`
}

func says(body string) mediatest.Reply {
	return mediatest.Reply{Status: 200, ContentType: "application/json", Body: body}
}

func exchanges() []mediatest.Exchange {
	allow, deny := media.Verdict{Allow: true, Reason: media.Allowed}, media.Verdict{Reason: media.TokenExpired}
	undecided := media.Verdict{Reason: media.TemporarilyUnavailable}
	down, later := errors.New("connection refused"), says(refusal(503, "temporarily_unavailable"))
	var list []mediatest.Exchange
	add := func(name, event string, v media.Verdict, err error, want mediatest.Reply) {
		list = append(list, mediatest.Exchange{Name: event + " " + name, Payload: hooked(event, publishing("token=a")), Verdict: v, Err: err, Want: want})
	}
	for _, event := range []string{"on_publish", "on_play"} {
		add("allowed", event, allow, nil, says(`{"code":0}`))
		add("refused", event, deny, nil, says(`{"code":403,"msg":"token_expired"}`))
		add("undecided", event, undecided, nil, later)
		add("fails closed", event, allow, down, later)
	}
	for _, event := range []string{"on_flow_report", "on_stream_changed", "on_record_ts", "on_server_started", "on_server_exited",
		"on_server_keepalive", "on_send_rtp_stopped", "on_rtp_server_timeout"} {
		add("recorded", event, allow, nil, says(`{"code":0}`))
		add("recorded with a refusal that nobody asked for", event, deny, nil, says(`{"code":0}`))
		add("not recorded", event, allow, down, later)
	}
	for _, event := range []string{"on_stream_not_found", "on_stream_none_reader"} {
		add("keeps", event, allow, nil, says(`{"code":0,"close":false}`))
		add("fails", event, allow, down, later)
	}
	add("wants no password", "on_rtsp_realm", allow, nil, says(`{"code":0,"realm":""}`))
	add("fails closed", "on_rtsp_realm", allow, down, later)
	for _, event := range []string{"on_rtsp_auth", "on_shell_login", "on_http_access"} {
		add("is never allowed", event, allow, nil, says(refusal(403, "not_supported")))
	}
	return append(list, mediatest.Exchange{Name: "no content type is fine", Verdict: allow, Want: says(`{"code":0}`),
		Payload: hooked("on_publish", publishing("")).With("Content-Type", "")})
}

func badRequests() []mediatest.BadRequest {
	var list []mediatest.BadRequest
	add := func(name string, p mediatest.Payload, want mediatest.Reply) {
		list = append(list, mediatest.BadRequest{Name: name, Payload: p, Want: want})
	}
	good := publishing("token=a")
	for name, body := range map[string]string{
		"empty body":              "",
		"null":                    "null",
		"an array":                "[]",
		"cut off":                 good[:len(good)-1],
		"something behind it":     good + "{}",
		"no connection":           strings.Replace(good, `"id":"2-15",`, "", 1),
		"no address":              strings.Replace(good, `"ip":"192.0.2.10",`, "", 1),
		"no application":          strings.Replace(good, `"app":"live",`, "", 1),
		"no vhost":                strings.Replace(good, `"vhost":"__defaultVhost__",`, "", 1),
		"no schema":               strings.Replace(good, `"schema":"rtmp",`, "", 1),
		"a number for a name":     strings.Replace(good, `"room1"`, "1", 1),
		"a list for a connection": strings.Replace(good, `"2-15"`, `["2-15"]`, 1),
	} {
		add(name, hooked("on_publish", body), says(refusal(422, "invalid_input")))
	}
	add("a file without its name", hooked("on_record_mp4", good), says(refusal(422, "invalid_input")))
	add("a server without its name", hooked("on_server_started", `{"hook_index":0}`), says(refusal(422, "invalid_input")))
	add("bytes below zero", hooked("on_flow_report", strings.Replace(good, "{", `{"totalBytes":-1,`, 1)), says(refusal(422, "invalid_input")))
	add("a form", hooked("on_publish", good).With("Content-Type", "application/x-www-form-urlencoded"), says(refusal(422, "invalid_input")))
	add("more than the limit", hooked("on_publish", good+strings.Repeat(" ", maxBody)), says(refusal(413, "body_too_large")))
	add("another event", hooked("on_something", good), mediatest.Reply{Status: 404, ContentType: "application/json", Body: `{"detail":"Not Found"}`})
	return list
}

// captured is a hook of a real server.
type captured struct{ Event, Body string }

func load(t testing.TB, name string) (list []captured) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "captures", name+".json"))
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func captures() []string {
	return []string{"rtmp-lifecycle", "stream-changed", "rtsp-record", "server"}
}

func recordings(t testing.TB) (list []mediatest.Recording) {
	t.Helper()
	for _, name := range captures() {
		r := mediatest.Recording{Name: name}
		for _, c := range load(t, name) {
			r.Payloads = append(r.Payloads, hooked(c.Event, c.Body))
		}
		list = append(list, r)
	}
	return list
}
