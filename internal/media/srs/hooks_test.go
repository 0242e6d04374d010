package srs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	publish := publishWith("?token=abc")
	mediatest.Run(t, mediatest.Suite{
		New:             routes,
		Recordings:      recordings(t),
		Exchanges:       exchanges(publish),
		Bad:             badRequests(publish),
		Publish:         func(query string) mediatest.Payload { return publishWith("?" + query) },
		Unauthenticated: refusal(403, `{"detail":"callback_unauthenticated"}`),
	})
}

func routes(l media.Ledger, log *slog.Logger) http.Handler {
	h := Hooks{Ledger: l, Log: log}
	mux := http.NewServeMux()
	for path, handler := range map[string]http.HandlerFunc{
		"on_connect":   h.SRSOnConnect,
		"on_close":     h.SRSOnClose,
		"on_publish":   h.SRSOnPublish,
		"on_unpublish": h.SRSOnUnpublish,
		"on_play":      h.SRSOnPlay,
		"on_stop":      h.SRSOnStop,
		"on_dvr":       h.SRSOnDVR,
		"on_hls":       h.SRSOnHLS,
	} {
		mux.Handle("POST /callback/"+path, handler)
	}
	return mux
}

// callback returns a request as SRS 7 sends it.
func callback(name, action string, body any) mediatest.Payload {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return mediatest.Payload{
		Name: name,
		Path: "/callback/" + action,
		Header: http.Header{
			"Content-Type": {"application/json"},
			"User-Agent":   {"SRS/7.0.18(Hang)"},
			"Connection":   {"Keep-Alive"},
		},
		Body: string(text),
	}
}

// object is a JSON object that a test builds.
type object map[string]any

// with returns a copy with some keys changed, and those set to nil removed.
func (o object) with(changes object) object {
	out := object{}
	for key, value := range o {
		out[key] = value
	}
	for key, value := range changes {
		if out[key] = value; value == nil {
			delete(out, key)
		}
	}
	return out
}

func published() object {
	return object{
		"server_id": "vid-7272250", "service_id": "zh4a6x53", "action": "on_publish", "client_id": "kb3908d5",
		"ip": "127.0.0.1", "vhost": "__defaultVhost__", "app": "live", "tcUrl": "rtmp://127.0.0.1:1935/live",
		"stream": "x", "param": "?token=abc", "stream_url": "/live/x", "stream_id": "vid-y7n5t8y",
	}
}

func publishWith(param string) mediatest.Payload {
	return callback("on_publish", "on_publish", published().with(object{"param": param}))
}

func accepted() mediatest.Reply {
	return mediatest.Reply{Status: 200, ContentType: "text/plain; charset=utf-8", Body: "0"}
}

func refusal(status int, body string) mediatest.Reply {
	return mediatest.Reply{Status: status, ContentType: "application/json", Body: body}
}

func exchanges(publish mediatest.Payload) []mediatest.Exchange {
	allow := media.Verdict{Allow: true, Reason: media.Allowed}
	deny := media.Verdict{Reason: media.TokenExpired}
	unauthenticated := media.Verdict{Reason: media.Unauthenticated}
	down := errors.New("connection refused: postgres://user:password@host")
	unavailable := refusal(503, `{"detail":"temporarily_unavailable"}`)
	play := callback("on_play", "on_play", published().with(object{"action": "on_play"}))

	list := []mediatest.Exchange{
		{Name: "publish allowed", Payload: publish, Verdict: allow, Want: accepted()},
		{Name: "publish refused", Payload: publish, Verdict: deny, Want: refusal(403, `{"detail":"token_expired"}`)},
		{Name: "publish fails closed", Payload: publish, Err: down, Want: unavailable},
		{Name: "publish fails closed whatever the verdict", Payload: publish, Verdict: allow, Err: down, Want: unavailable},
		{Name: "publish undecided", Payload: publish, Verdict: media.Verdict{Reason: media.TemporarilyUnavailable}, Want: unavailable},
		{Name: "play allowed", Payload: play, Verdict: allow, Want: accepted()},
		{Name: "play refused", Payload: play, Verdict: deny, Want: refusal(403, `{"detail":"token_expired"}`)},
		{Name: "play fails closed", Payload: play, Err: down, Want: unavailable},
		{Name: "no content type is fine", Payload: publish.With("Content-Type", ""), Verdict: allow, Want: accepted()},
		{Name: "content type with charset is fine", Payload: publish.With("Content-Type", "application/json; charset=utf-8"), Verdict: allow, Want: accepted()},
	}
	for _, action := range []string{"on_connect", "on_close", "on_unpublish", "on_stop", "on_dvr", "on_hls"} {
		p := callback(action, action, published().with(object{"action": action, "cwd": "/usr/local/srs", "file": "x.flv"}))
		list = append(list,
			mediatest.Exchange{Name: action + " recorded", Payload: p, Want: accepted()},
			mediatest.Exchange{Name: action + " recorded with a refusal that nobody asked for", Payload: p, Verdict: deny, Want: accepted()},
			mediatest.Exchange{Name: action + " of nobody", Payload: p, Verdict: unauthenticated, Want: refusal(403, `{"detail":"callback_unauthenticated"}`)},
			mediatest.Exchange{Name: action + " not recorded", Payload: p, Err: down, Want: unavailable})
	}
	return append(list, byVersion(publish, allow)...)
}

// byVersion covers the versions that take nothing but an object for a yes.
func byVersion(publish mediatest.Payload, allow media.Verdict) []mediatest.Exchange {
	object := mediatest.Reply{Status: 200, ContentType: "application/json", Body: `{"code":0}`}
	var list []mediatest.Exchange
	for agent, want := range map[string]mediatest.Reply{
		"SRS/3.0.168(OuXuli)": accepted(), "SRS/4.0.271(Leo)": accepted(), "SRS/5.0.62": accepted(),
		"SRS/5.0.63": object, "SRS/5.0.70(Bee)": object, "SRS/5.0.87(Bee)": object,
		"SRS/5.0.88(Bee)": accepted(), "SRS/5.0.216(Bee)": accepted(), "SRS/6.0.70(Hang)": accepted(),
		"SRS/5.0.": accepted(), "SRS/5.0.99999999999999999999": accepted(), "curl/8.0": accepted(),
	} {
		list = append(list, mediatest.Exchange{
			Name: "yes for " + agent, Payload: publish.With("User-Agent", agent), Verdict: allow, Want: want,
		})
	}
	return list
}

func bad(name string, p mediatest.Payload, want mediatest.Reply) mediatest.BadRequest {
	return mediatest.BadRequest{Name: name, Payload: p, Want: want}
}

func badRequests(publish mediatest.Payload) []mediatest.BadRequest {
	with := func(action string, changes object) mediatest.Payload {
		return callback(action, action, published().with(object{"action": action}).with(changes))
	}
	raw := func(body string) mediatest.Payload { p := publish; p.Body = body; return p }
	unprocessable := func(entries ...string) mediatest.Reply {
		return refusal(422, `{"detail":[`+strings.Join(entries, ",")+`]}`)
	}
	missing := func(field string) string {
		return `{"loc":["body","` + field + `"],"msg":"field required","type":"value_error.missing"}`
	}
	notADict := unprocessable(`{"loc":["body"],"msg":"value is not a valid dict","type":"type_error.dict"}`)
	noBody := unprocessable(`{"loc":["body"],"msg":"field required","type":"value_error.missing"}`)
	broken := func(at int, why string) mediatest.Reply {
		return unprocessable(fmt.Sprintf(`{"loc":["body",%d],"msg":"%s: line 1 column %d (char %d)","type":"value_error.jsondecode"}`, at, why, at+1, at))
	}
	list := []mediatest.BadRequest{
		bad("no body", raw(""), noBody),
		bad("blank body", raw(" \r\n"), noBody),
		bad("null", raw("null"), noBody),
		bad("broken JSON", raw(`{"action":"on_publish",`), broken(23, "Expecting property name enclosed in double quotes")),
		bad("JSON with more behind it", raw(`{} x`), broken(3, "Extra data")),
		bad("a control character in a string", raw("{\"action\":\"on\x01publish\"}"), broken(13, "Invalid control character at")),
		bad("a list", raw(`[1]`), notADict),
		bad("a string", raw(`"on_publish"`), notADict),
		bad("form", publish.With("Content-Type", "application/x-www-form-urlencoded"), notADict),
		bad("plain text", publish.With("Content-Type", "text/plain"), notADict),
		bad("nonsense content type", publish.With("Content-Type", ";;"), notADict),
		bad("more than the limit", publishWith("?"+strings.Repeat("a", maxBody)), refusal(413, `{"detail":"The request body is too large"}`)),
		bad("empty object", raw("{}"), unprocessable(missing("action"), missing("client_id"), missing("ip"),
			missing("vhost"), missing("app"), missing("stream"), missing("param"))),
		bad("recording without its file", with("on_dvr", nil), unprocessable(missing("cwd"), missing("file"))),
		bad("segment without its file", with("on_hls", nil), unprocessable(missing("cwd"), missing("file"))),
		bad("no client id", with("on_publish", object{"client_id": ""}),
			unprocessable(`{"loc":["body","client_id"],"msg":"ensure this value has at least 1 characters","type":"value_error.any_str.min_length"}`)),
		bad("null where a text must be", raw(`{"action":"on_publish","client_id":"1","ip":null,"vhost":"v","app":"a","stream":"s","param":""}`),
			unprocessable(`{"loc":["body","ip"],"msg":"none is not an allowed value","type":"type_error.none.not_allowed"}`)),
		bad("wrong types", with("on_publish", object{"ip": []int{1}, "stream_url": object{"a": "b"}, "param": true}), unprocessable(
			`{"loc":["body","ip"],"msg":"str type expected","type":"type_error.str"}`,
			`{"loc":["body","param"],"msg":"str type expected","type":"type_error.str"}`,
			`{"loc":["body","stream_url"],"msg":"str type expected","type":"type_error.str"}`)),
		bad("a key twice", raw(`{"action":"on_publish","client_id":1,"ip":"","vhost":"v","app":"a","stream":"s","param":"","client_id":"2"}`),
			unprocessable(`{"loc":["body","client_id"],"msg":"field given more than once","type":"value_error.repeated"}`)),
	}
	for _, action := range []string{"on_connect", "on_close", "on_publish", "on_unpublish", "on_play", "on_stop", "on_dvr", "on_hls"} {
		list = append(list, mediatest.BadRequest{
			Name:    "another action at " + action,
			Payload: with(action, object{"action": "on_other", "cwd": "/", "file": "f"}),
			Want: unprocessable(`{"loc":["body","action"],"msg":"unexpected value; permitted: '` + action +
				`'","type":"value_error.const"}`),
		})
	}
	return list
}

// recordings returns what the captures hold, and payloads of older versions.
func recordings(t *testing.T) []mediatest.Recording {
	t.Helper()
	return []mediatest.Recording{
		{Name: "callbacks_rtmp", Payloads: capturedRTMP(t)},
		{Name: "callbacks_http_play", Payloads: capturedHTTP(t)},
		{Name: "callbacks_srt", Payloads: capturedByURL(t, "callbacks_srt")},
		{Name: "callbacks_webrtc", Payloads: capturedByURL(t, "callbacks_webrtc")},
		{Name: "rtmp_url_to_param", Payloads: capturedURLs(t)},
		{Name: "other_versions", Payloads: otherVersions()},
	}
}

type captured struct {
	Method, Path  string
	URL, Request  string
	Body          object
	Callback      object
	Callbacks     []captured
	RTMPPath      string `json:"rtmp_path"`
	Stream, Param string
	StreamURL     string `json:"stream_url"`
}

func load(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "captures", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func capturedRTMP(t *testing.T) (list []mediatest.Payload) {
	var all []captured
	load(t, "callbacks_rtmp", &all)
	for _, c := range all {
		if c.Method == http.MethodPost { // on_hls_notify is a GET and not ours
			action := filepath.Base(c.Path)
			list = append(list, callback(action, action, c.Body))
		}
	}
	return list
}

func capturedHTTP(t *testing.T) (list []mediatest.Payload) {
	var all map[string]captured
	load(t, "callbacks_http_play", &all)
	for _, kind := range []string{"http_flv", "hls"} {
		for _, c := range all[kind].Callbacks {
			action := filepath.Base(c.Path)
			list = append(list, callback(action+" of "+all[kind].Request, action, c.Body))
		}
	}
	return list
}

func capturedByURL(t *testing.T, name string) (list []mediatest.Payload) {
	var all []captured
	load(t, name, &all)
	for _, c := range all {
		list = append(list, callback(c.URL+c.Request, c.Callback["action"].(string), c.Callback))
	}
	return list
}

// capturedURLs puts the captured fields into the callback that carried them;
// app is what stream_url says in front of the name.
func capturedURLs(t *testing.T) (list []mediatest.Payload) {
	var all []captured
	load(t, "rtmp_url_to_param", &all)
	for _, c := range all {
		if c.StreamURL == "" { // refused by SRS itself
			continue
		}
		path, _, _ := strings.Cut(c.StreamURL, "?")
		list = append(list, callback("rtmp://host"+c.RTMPPath, "on_publish", published().with(object{
			"app": strings.Trim(filepath.Dir(path), "/"), "stream": c.Stream, "param": c.Param, "stream_url": c.StreamURL,
		})))
	}
	return list
}
