package nginxrtmp

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
)

const path = "/callback/nginx-rtmp"

func TestConformance(t *testing.T) {
	t.Parallel()
	mediatest.Run(t, mediatest.Suite{
		New:             routes,
		Recordings:      recordings(t),
		Exchanges:       exchanges(),
		Bad:             badRequests(),
		Publish:         func(query string) mediatest.Payload { return notification(publishing + "&" + query) },
		Unauthenticated: refused(403, "callback_unauthenticated"),
	})
}

func routes(l media.Ledger, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+path, Hooks{Ledger: l, Log: log}.NginxRTMPCallback)
	return mux
}

const (
	head       = "app=live&flashver=FMLE/3.0%20(compatible%3B%20Lavf59.27&swfurl=&tcurl=rtmp://127.0.0.1:21935/live&pageurl=&addr=127.0.0.1"
	session    = head + "&clientid=7"
	publishing = session + "&call=publish&name=room1&type=live"
	playing    = session + "&call=play&name=room1&start=4294965296&duration=0&reset=0"
)

// notification returns a request as nginx sends it.
func notification(body string) mediatest.Payload {
	return mediatest.Payload{
		Path: path,
		Header: http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"},
			"Connection":   {"Close"},
		},
		Body: body,
	}
}

func allowed() mediatest.Reply { return mediatest.Reply{Status: 200, Close: true} }

func refused(status int, reason string) mediatest.Reply {
	return mediatest.Reply{
		Status:      status,
		ContentType: "application/json",
		Body:        `{"detail":"` + reason + `"}`,
		Close:       true,
	}
}

func exchanges() []mediatest.Exchange {
	allow := media.Verdict{Allow: true, Reason: media.Allowed}
	deny := media.Verdict{Reason: media.TokenExpired}
	undecided := media.Verdict{Reason: media.TemporarilyUnavailable}
	down := errors.New("connection refused")
	unavailable := refused(503, "temporarily_unavailable")
	keepAlive := notification(publishing).With("Connection", "keep-alive")

	var list []mediatest.Exchange
	add := func(name, body string, v media.Verdict, err error, want mediatest.Reply) {
		list = append(list, mediatest.Exchange{Name: name, Payload: notification(body), Verdict: v, Err: err, Want: want})
	}
	for name, body := range map[string]string{"publish": publishing, "play": playing} {
		add(name+" allowed", body, allow, nil, allowed())
		add(name+" refused", body, deny, nil, refused(403, "token_expired"))
		add(name+" fails closed", body, allow, down, unavailable)
		add(name+" undecided", body, undecided, nil, unavailable)
	}
	for _, call := range []string{"update_publish", "update_play"} {
		body := session + "&call=" + call + "&time=2&timestamp=1823&name=room1"
		add(call+" of a session that may stay", body, allow, nil, allowed())
		add(call+" of a session that must go", body, deny, nil, refused(403, "token_expired"))
		add(call+" fails open", body, media.Verdict{}, down, allowed())
		add(call+" undecided", body, undecided, nil, allowed())
	}
	for call, body := range map[string]string{
		"connect":      head + "&epoch=1548575&call=connect",
		"disconnect":   session + "&call=disconnect&app=live",
		"publish_done": session + "&call=publish_done&name=room1",
		"play_done":    session + "&call=play_done&name=room1",
		"done":         session + "&call=done&name=room1",
		"record_done":  session + "&call=record_done&recorder=all&name=room1&path=rec/room1.flv",
	} {
		add(call+" recorded", body, media.Verdict{}, nil, allowed())
		add(call+" recorded with a refusal that nobody asked for", body, deny, nil, allowed())
		add(call+" of nobody", body, media.Verdict{Reason: media.Unauthenticated}, nil, refused(403, "callback_unauthenticated"))
		add(call+" not recorded", body, allow, down, unavailable)
	}
	return append(list,
		mediatest.Exchange{Name: "closed though keep-alive was offered", Payload: keepAlive, Verdict: allow, Want: allowed()},
		mediatest.Exchange{Name: "no content type is fine", Payload: notification(publishing).With("Content-Type", ""), Verdict: allow, Want: allowed()})
}

func badRequests() []mediatest.BadRequest {
	var list []mediatest.BadRequest
	add := func(name string, p mediatest.Payload, want mediatest.Reply) {
		list = append(list, mediatest.BadRequest{Name: name, Payload: p, Want: want})
	}
	malformed := refused(422, "")
	malformed.Body = `{"detail":[{"loc":["body"],"msg":"not a notification of nginx-rtmp","type":"value_error"}]}`
	for name, body := range map[string]string{
		"empty body":                      "",
		"no field at all":                 "&&&",
		"JSON":                            `{"call":"publish"}`,
		"no call":                         session,
		"empty call":                      session + "&call=",
		"unknown call":                    session + "&call=publish2&name=x&type=live",
		"no application":                  strings.TrimPrefix(publishing, "app=live&"),
		"no address":                      strings.Replace(publishing, "&addr=127.0.0.1", "", 1),
		"no client id":                    strings.Replace(publishing, "&clientid=7", "", 1),
		"client id from the query":        strings.Replace(publishing, "&clientid=7", "", 1) + "&clientid=7",
		"client id zero":                  strings.Replace(publishing, "clientid=7", "clientid=0", 1),
		"client id below zero":            strings.Replace(publishing, "clientid=7", "clientid=-7", 1),
		"client id beyond all numbers":    strings.Replace(publishing, "clientid=7", "clientid=99999999999999999999", 1),
		"publish without name":            session + "&call=publish&type=live",
		"record_done without name":        session + "&call=record_done&recorder=all&path=x",
		"broken escape in a server field": strings.Replace(publishing, "room1", "room%zz", 1),
	} {
		add(name, notification(body), malformed)
	}
	add("JSON content type", notification(publishing).With("Content-Type", "application/json"), malformed)
	add("nonsense content type", notification(publishing).With("Content-Type", ";;"), malformed)
	add("multipart", notification(publishing).With("Content-Type", "multipart/form-data; boundary=x"), malformed)
	add("more than the limit", notification(publishing+"&"+strings.Repeat("a", maxBody)), refused(413, "body_too_large"))
	return list
}

// capture is a recorded series of notifications.
type capture struct {
	Events []struct {
		Request struct{ Method, Target, Body string }
	}
	Exchanges []struct {
		Response struct{ Body string }
	}
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

func recorded() []string {
	return []string{
		"01-lifecycle-allow", "04b-publish-302-push", "04e-connect-403", "06g-play-302-query",
		"09-param-injection", "10-query-on-tcurl", "12-second-publisher", "13-pull-on-demand",
	}
}

func recordings(t testing.TB) []mediatest.Recording {
	t.Helper()
	var list []mediatest.Recording
	for _, name := range recorded() {
		r := mediatest.Recording{Name: name}
		for _, e := range load(t, name).Events {
			p := notification(e.Request.Body)
			_, call, _ := strings.Cut(e.Request.Body, "&call=")
			p.Name, _, _ = strings.Cut(call, "&")
			r.Payloads = append(r.Payloads, p)
		}
		list = append(list, r)
	}
	return list
}

// TestReplyEndsForAnHTTP10Client sends the bytes that nginx sends and reads, as
// it does, until the connection ends.
func TestReplyEndsForAnHTTP10Client(t *testing.T) {
	t.Parallel()
	ledger := &mediatest.Ledger{Verdict: media.Verdict{Allow: true}}
	hooks := Hooks{Ledger: ledger, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hooks.NginxRTMPCallback(w, r.WithContext(media.WithNode(r.Context(), media.Node{Name: "edge-1"})))
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	request := "POST /callback/nginx-rtmp?secret=s HTTP/1.0\r\nHost: 127.0.0.1\r\n" +
		"Content-Type: application/x-www-form-urlencoded\r\nConnection: Close\r\n" +
		"Content-Length: " + strconv.Itoa(len(publishing)) + "\r\n\r\n" + publishing
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	reply, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(reply), "HTTP/1.0 200 OK\r\n") || !strings.HasSuffix(string(reply), "\r\n\r\n") {
		t.Errorf("reply %q", reply)
	}
	if len(ledger.Heard()) != 1 {
		t.Errorf("heard %v", ledger.Heard())
	}
}
