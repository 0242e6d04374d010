package ome

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

const path = "/callback/ovenmediaengine"

var noon = time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)

func TestConformance(t *testing.T) {
	t.Parallel()
	mediatest.Run(t, mediatest.Suite{
		New:             routes,
		Recordings:      recordings(t),
		Exchanges:       exchanges(),
		Bad:             badRequests(),
		Publish:         func(query string) mediatest.Payload { return admission(opening(query)) },
		Unauthenticated: refused(403, "callback_unauthenticated"),
	})
}

func routes(l media.Ledger, log *slog.Logger) http.Handler {
	h := Hooks{Ledger: l, Log: log, Now: func() time.Time { return noon }, Lifetime: 10 * time.Minute}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		h.OvenmediaengineCallback(w, r, gen.OvenmediaengineCallbackParams{})
	})
	return mux
}

func admission(body string) mediatest.Payload {
	return mediatest.Payload{Path: path, Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}, Body: body}
}

func opening(query string) string {
	address, _ := json.Marshal("rtmp://media.example.com:1935/live/room1?" + query)
	return `{"client":{"address":"192.0.2.10","port":41000,"real_ip":"192.0.2.10"},"request":{"direction":"incoming","protocol":"RTMP","url":` +
		string(address) + `,"status":"opening","time":"2030-05-17T12:00:00.000+00:00"}}`
}

func playing() string { return strings.Replace(opening("token=a"), "incoming", "outgoing", 1) }

func closing() string { return strings.Replace(opening("token=a"), "opening", "closing", 1) }

func says(body string) mediatest.Reply {
	return mediatest.Reply{Status: 200, ContentType: "application/json", Body: body}
}

func refused(status int, reason string) mediatest.Reply {
	return mediatest.Reply{Status: status, ContentType: "application/json", Body: `{"detail":"` + reason + `"}`}
}

func exchanges() []mediatest.Exchange {
	allow, deny := media.Verdict{Allow: true, Reason: media.Allowed}, media.Verdict{Reason: media.TokenExpired}
	undecided, down := media.Verdict{Reason: media.TemporarilyUnavailable}, errors.New("connection refused")
	later := says(`{"allowed":false,"reason":"temporarily_unavailable"}`)
	var list []mediatest.Exchange
	add := func(name, body string, v media.Verdict, err error, want mediatest.Reply) {
		list = append(list, mediatest.Exchange{Name: name, Payload: admission(body), Verdict: v, Err: err, Want: want})
	}
	add("a publisher may stay for ever", opening("token=a"), allow, nil, says(`{"allowed":true,"lifetime":0}`))
	add("a player has to ask again", playing(), allow, nil, says(`{"allowed":true,"lifetime":600000}`))
	for name, body := range map[string]string{"publisher": opening("token=a"), "player": playing()} {
		add(name+" refused", body, deny, nil, says(`{"allowed":false,"reason":"token_expired"}`))
		add(name+" undecided", body, undecided, nil, later)
		add(name+" fails closed", body, allow, down, later)
	}
	for name, body := range map[string]string{"publisher": closing(), "player": strings.Replace(closing(), "incoming", "outgoing", 1)} {
		add(name+" gone", body, allow, nil, says(`{}`))
		add(name+" gone, with a refusal that nobody asked for", body, deny, nil, says(`{}`))
		add(name+" gone, not recorded", body, allow, down, says(`{}`))
	}
	return append(list, mediatest.Exchange{Name: "no content type is fine", Payload: admission(opening("")).With("Content-Type", ""), Verdict: allow,
		Want: says(`{"allowed":true,"lifetime":0}`)})
}

func badRequests() []mediatest.BadRequest {
	var list []mediatest.BadRequest
	add := func(name string, p mediatest.Payload, want mediatest.Reply) {
		list = append(list, mediatest.BadRequest{Name: name, Payload: p, Want: want})
	}
	malformed := refused(422, "")
	malformed.Body = `{"detail":[{"loc":["body"],"msg":"not an admission webhook of OvenMediaEngine","type":"value_error"}]}`
	good := opening("token=a")
	for name, body := range map[string]string{
		"empty body":           "",
		"null":                 "null",
		"an array":             "[]",
		"cut off":              good[:len(good)-1],
		"something behind it":  good + "{}",
		"no client":            strings.Replace(good, "client", "klient", 1),
		"no address":           strings.Replace(good, "192.0.2.10", "", 1),
		"a host for address":   strings.Replace(good, "192.0.2.10", "example.com", 1),
		"a port of another":    strings.Replace(good, "41000", "410000", 1),
		"a port below zero":    strings.Replace(good, "41000", "-1", 1),
		"another direction":    strings.Replace(good, "incoming", "sideways", 1),
		"another status":       strings.Replace(good, "opening", "yawning", 1),
		"no URL":               strings.Replace(good, "rtmp://", "rtmp:", 1),
		"a URL without a path": strings.Replace(good, "/live/room1?", "?", 1),
		"no time":              strings.Replace(good, "2030-05-17T12", "noon", 1),
		"a number for a URL":   strings.Replace(good, `"rtmp://media.example.com:1935/live/room1?token=a"`, "1", 1),
	} {
		add(name, admission(body), malformed)
	}
	for _, stamp := range []string{"2030-05-17T11:54:59.999+00:00", "2030-05-17T12:05:00.001+00:00", "2030-05-17T12:00:00.000+09:00", "1970-01-01T00:00:00Z"} {
		add("of "+stamp, admission(strings.Replace(good, "2030-05-17T12:00:00.000+00:00", stamp, 1)), refused(403, "callback_unauthenticated"))
	}
	add("a form", admission(good).With("Content-Type", "application/x-www-form-urlencoded"), malformed)
	add("more than the limit", admission(good+strings.Repeat(" ", maxBody)), refused(413, "body_too_large"))
	return list
}

type payload struct{ Name, Body string }

func load(t testing.TB) (list []payload) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "payloads", "admission.json"))
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func recordings(t testing.TB) []mediatest.Recording {
	t.Helper()
	r := mediatest.Recording{Name: "admission"}
	for _, p := range load(t) {
		one := admission(p.Body)
		one.Name = p.Name
		r.Payloads = append(r.Payloads, one)
	}
	return []mediatest.Recording{r}
}

func TestOnlyTheKeysOwnSignatureOfTheseBytesIsRight(t *testing.T) {
	t.Parallel()
	const body, key = "{\n\t\"client\": {}}", "1234"
	const right = "4VPIbarFpSVX48MYNmakiAPYi0w" // made by Python's hmac and base64
	for name, c := range map[string]struct {
		signature, body, key string
		want                 bool
	}{
		"right":                {right, body, key, true},
		"padded":               {right + "=", body, key, true},
		"none":                 {"", body, key, false},
		"another key":          {right, body, "12345", false},
		"no key":               {right, body, "", false},
		"another byte":         {right, body + " ", key, false},
		"white space stripped": {right, `{"client":{}}`, key, false},
		"cut short":            {right[:20], body, key, false},
		"other alphabet":       {"+" + right[1:], body, key, false},
		"with something more":  {right + "A", body, key, false},
	} {
		if got := Signed(c.signature, []byte(c.body), []byte(c.key)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
