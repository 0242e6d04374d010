package nms

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

var (
	_ media.Lister      = &Client{}
	_ media.CensusTaker = &Client{}
	_ media.Kicker      = &Client{}
)

// api is an HTTP API with one user.
type api struct {
	pages    map[string]string // by path behind /api/v1
	old      bool              // wants proof of the password, as 4.2 does
	broken   int               // a status for every login
	password string

	mu     sync.Mutex
	token  string
	logins int
	asked  []string
}

func (a *api) serve(t *testing.T) media.Node {
	t.Helper()
	if a.password == "" {
		a.password = "secret"
	}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	return media.Node{Name: "edge-1", ControlURL: srv.URL + "/", Username: "stagedoor", Password: "secret"}
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/api/v1")
	if path == "/login" {
		a.logIn(w, r)
		return
	}
	a.asked = append(a.asked, r.Method+" "+path)
	page, found := a.pages[path]
	switch {
	case a.token == "" || r.Header.Get("Authorization") != "Bearer "+a.token:
		w.WriteHeader(http.StatusUnauthorized)
	case !found:
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("Date", "Sun, 22 Nov 2026 00:05:46 GMT")
		_, _ = w.Write([]byte(page))
	}
}

const nonce = "5f2c9a"

func (a *api) logIn(w http.ResponseWriter, r *http.Request) {
	a.logins++
	var in struct{ Username, Password, Challenge, Response string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || a.broken != 0 {
		w.Header().Set("RateLimit-Reset", "7")
		w.WriteHeader(max(a.broken, 400))
		return
	}
	mac := hmac.New(sha256.New, []byte(a.password))
	mac.Write([]byte(nonce))
	proved := in.Challenge == nonce && in.Response == hex.EncodeToString(mac.Sum(nil))
	switch {
	case a.old && in.Challenge == "":
		_, _ = w.Write([]byte(`{"success":true,"data":{"challenge":"` + nonce + `"}}`))
	case in.Username == "stagedoor" && (a.old && proved || !a.old && in.Password == a.password):
		a.token = "token" + strings.Repeat("x", a.logins)
		_, _ = w.Write([]byte(`{"success":true,"data":{"token":"` + a.token + `","expiresIn":"1h"}}`))
	default:
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// forget makes the server refuse the tokens that it gave, as a restart does.
func (a *api) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = "another"
}

func client() *Client { return &Client{HTTP: &http.Client{Timeout: 10 * time.Second}} }

// captured are the pages that a capture holds of a running server.
func captured(t *testing.T, name string) map[string]string {
	t.Helper()
	c := load(t, name)
	pages := map[string]string{}
	for _, e := range append(c.Observed.API, c.Observed.Exchanges...) {
		u, err := url.Parse(e.Request.URL)
		if err != nil {
			t.Fatal(err)
		}
		path := strings.TrimPrefix(u.Path, "/api/v1")
		if _, known := pages[path]; !known && e.Request.Method == http.MethodGet && e.Response.Status == http.StatusOK {
			pages[path] = e.text()
		}
	}
	return pages
}

func TestStreamsAreThoseWithAPublisher(t *testing.T) {
	t.Parallel()
	a := &api{pages: captured(t, "01-lifecycle-allow")}
	got, err := client().Streams(t.Context(), a.serve(t))
	want := media.LiveStream{Stream: media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "room1"}, Clients: 3, RecvKbps: 1894, SendKbps: 4044,
		BytesIn: 1095521, BytesOut: 2371804, Video: media.Video{Codec: "H264", Width: 640, Height: 360, FrameRate: 25},
		Audio: media.Audio{Codec: "AAC", SampleRate: 44100, Channel: 1}, Uptime: 4052 * time.Millisecond, PublisherID: "mwr2syiev5r5kqwc"}
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	for name, page := range map[string]string{
		"nobody publishes":               `{"app":"live","name":"a","status":"idle","publisher":null}`,
		"the publisher may come back":    `{"app":"live","name":"a","status":"reconnecting","publisher":{"id":"x"}}`,
		"nobody publishes (version 4.2)": `{"app":"live","name":"a","publisher":null}`,
	} {
		a := &api{pages: map[string]string{"/streams": streamsPage(page)}}
		if got, err := client().Streams(t.Context(), a.serve(t)); err != nil || len(got) != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	a = &api{pages: map[string]string{"/streams": streamsPage(`{"app":"live","name":"a","publisher":{"id":"x"}}`)}}
	if got, err := client().Streams(t.Context(), a.serve(t)); err != nil || len(got) != 1 || got[0].PublisherID != "x" {
		t.Errorf("version 4.2: %+v, %v", got, err)
	}
}

const stats = `{"success":true,"data":{"server":{"uptime":12.345,"pid":7},"sessions":{"total":0}}}`

func streamsPage(streams string) string {
	return `{"success":true,"data":{"streams":[` + streams + `]}}`
}
func sessionsPage(sessions string) string {
	return `{"success":true,"data":{"sessions":[` + sessions + `]}}`
}

func TestCensusListsEveryConnection(t *testing.T) {
	t.Parallel()
	a := &api{pages: captured(t, "01-lifecycle-allow")}
	a.pages["/stats"] = stats
	got, err := client().Census(t.Context(), a.serve(t))
	if err != nil {
		t.Fatal(err)
	}
	if got.Age != 12345*time.Millisecond {
		t.Errorf("the server has run for %v", got.Age)
	}
	room := media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "room1"}
	want := []media.LiveClient{
		{Client: media.Client{ID: "mwr2syiev5r5kqwc", Stream: room, Address: "127.0.0.1", Protocol: "rtmp"}, Scene: media.Publish, Uptime: 4052 * time.Millisecond, BytesIn: 1095521},
		{Client: media.Client{ID: "mwr2t0sauid6bzfo", Address: "127.0.0.1", Protocol: "http-flv"}, Scene: media.Play, Uptime: 1110 * time.Millisecond, BytesOut: 639027},
		{Client: media.Client{ID: "mwr2t0sp3q3jdz1q", Address: "127.0.0.1", Protocol: "rtmp"}, Scene: media.Play, Uptime: 1095 * time.Millisecond, BytesIn: 3496, BytesOut: 638480},
	}
	if !got.Publishers || !got.Players || !slices.Equal(got.Clients, want) {
		t.Errorf("got  %+v\nwant %+v", got.Clients, want)
	}
}

func TestCensusTellsWhoIsNoClientAndWhoIsNotThere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		session, streams, relays string
		want                     []media.LiveClient
	}{
		"a pull": {`{"id":"pull","ip":"198.51.100.7:1935","isPublisher":true,"protocol":"rtmp"}`,
			`{"app":"live","name":"a","status":"publishing","publisher":{"id":"pull"}}`, `{"id":"pull"}`,
			[]media.LiveClient{{Client: media.Client{ID: "pull", Stream: media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "a"},
				Address: "198.51.100.7", Protocol: "rtmp"}, Scene: media.Publish, Relay: true}}},
		"a push to elsewhere":             {`{"id":"push","ip":"","isPublisher":false,"protocol":"rtmp"}`, "", `{"id":"push"}`, nil},
		"a recorder":                      {`{"id":"file","ip":"","isPublisher":false,"protocol":"flv"}`, "", "", nil},
		"a publisher that was not let in": {`{"id":"second","ip":"192.0.2.1:5","isPublisher":true,"protocol":"flv"}`, "", "", nil},
		"a publisher that left and is waited for": {`{"id":"late","ip":"192.0.2.1:5","isPublisher":true,"protocol":"rtmp"}`,
			`{"app":"live","name":"a","status":"reconnecting","publisher":{"id":"late"}}`, "", nil},
		"a player by IPv6": {`{"id":"six","ip":"2001:db8::1:5","isPublisher":false,"protocol":"rtmp"}`, "", "",
			[]media.LiveClient{{Client: media.Client{ID: "six", Address: "2001:db8::1", Protocol: "rtmp"}, Scene: media.Play}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &api{pages: map[string]string{"/sessions": sessionsPage(c.session), "/streams": streamsPage(c.streams), "/stats": stats}}
			if c.relays != "" {
				a.pages["/relay"] = `{"success":true,"data":[` + c.relays + `],"count":1}`
			}
			got, err := client().Census(t.Context(), a.serve(t))
			if err != nil || !slices.Equal(got.Clients, c.want) {
				t.Errorf("%v\ngot  %+v\nwant %+v", err, got.Clients, c.want)
			}
		})
	}
}

// Half a list would end sessions that run.
func TestWhatIsNoWholeListIsAnError(t *testing.T) {
	t.Parallel()
	good := map[string]string{"/sessions": sessionsPage(""), "/streams": streamsPage(""), "/relay": `{"success":true,"data":[]}`, "/stats": stats}
	for path, pages := range map[string][]string{
		"/sessions": {"", "null", "<html>", `{"success":false,"data":{}}`, `{"success":true,"data":{"sessions":7}}`, sessionsPage(strings.Repeat(`{"id":"a"},`, maxSessions) + `{"id":"a"}`)},
		"/streams":  {"", `{"success":true,"data":{"streams":{}}}`, streamsPage(strings.Repeat(`{"app":"a"},`, maxStreams) + `{"app":"a"}`)},
		"/stats":    {"", `{"success":false,"data":{}}`},
		"/relay":    {"<html>", `{"success":false,"data":[]}`},
	} {
		for _, page := range pages {
			a := &api{pages: map[string]string{}}
			for p, text := range good {
				a.pages[p] = text
			}
			a.pages[path] = page
			if got, err := client().Census(t.Context(), a.serve(t)); errs.KindOf(err) != errs.BadGateway {
				t.Errorf("%s with %.60q: %+v, %v", path, page, got, err)
			}
		}
	}
	if _, err := client().Streams(t.Context(), media.Node{}); errs.KindOf(err) != errs.BadGateway {
		t.Errorf("without a control URL: %v", err)
	}
}

func TestOneLoginServesManyQuestionsUntilItsTokenIsRefused(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{false, true} {
		a := &api{old: old, pages: map[string]string{"/streams": streamsPage("")}}
		n, c := a.serve(t), client()
		once := 1
		if old {
			once = 2 // asked for a challenge first
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := c.Streams(t.Context(), n); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if a.logins != once {
			t.Errorf("%d logins, want %d", a.logins, once)
		}
		a.forget()
		for range 3 {
			if _, err := c.Streams(t.Context(), n); err != nil {
				t.Error(err)
			}
		}
		if a.logins != 2*once {
			t.Errorf("%d logins, want %d", a.logins, 2*once)
		}
	}
}

// The server locks out who fails five times.
func TestAFailedLoginIsNotRepeatedUntilTheCredentialsChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a    *api
		want error
	}{
		"a wrong password":               {&api{password: "another"}, errLogin},
		"a wrong password (version 4.2)": {&api{password: "another", old: true}, errLogin},
		"too many logins":                {&api{broken: http.StatusTooManyRequests}, errLogins},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, client := c.a.serve(t), client()
			for range 5 {
				if _, err := client.Streams(t.Context(), n); !errors.Is(err, c.want) || errs.KindOf(err) != errs.BadGateway {
					t.Fatalf("got %v", err)
				}
			}
			first := c.a.logins
			if first > 2 {
				t.Errorf("%d logins", first)
			}
			n.Password = "the right one by now"
			_, _ = client.Streams(t.Context(), n)
			if c.a.logins == first {
				t.Error("new credentials are not tried")
			}
		})
	}
}

func TestALimitLastsAsLongAsTheServerSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header, value string
		want          time.Duration
	}{{"Retry-After", "9", 9 * time.Second}, {"RateLimit-Reset", "30", 30 * time.Second}, {"Retry-After", "99999", afterFailure}, {"Retry-After", "soon", afterFull}, {"X", "1", afterFull}} {
		resp := &http.Response{Header: http.Header{}}
		resp.Header.Set(c.header, c.value)
		if got := retryAfter(resp); got != c.want {
			t.Errorf("%s: %s gives %v, want %v", c.header, c.value, got, c.want)
		}
	}
}

func TestWithoutAnAPIOrCredentialsNobodyIsAsked(t *testing.T) {
	t.Parallel()
	a := &api{}
	n := a.serve(t)
	n.Password = ""
	if _, err := client().Streams(t.Context(), n); !errors.Is(err, errLogin) || a.logins != 0 {
		t.Errorf("got %v after %d logins", err, a.logins)
	}
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	if _, err := client().Streams(t.Context(), media.Node{ControlURL: srv.URL, Username: "a", Password: "b"}); !errors.Is(err, errNoAPI) {
		t.Errorf("got %v", err)
	}
	if client().IsRelay(t.Context(), media.Node{}, "x") {
		t.Error("a relay of a node that cannot be asked")
	}
}

func TestIsRelayAsksTheServer(t *testing.T) {
	t.Parallel()
	a := &api{pages: map[string]string{"/relay": `{"success":true,"data":[{"id":"pull"}],"count":1}`}}
	n := a.serve(t)
	if c := client(); !c.IsRelay(t.Context(), n, "pull") || c.IsRelay(t.Context(), n, "else") {
		t.Error("the answer is not what the server says")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if client().IsRelay(ended, n, "pull") {
		t.Error("a relay without an answer")
	}
}

func TestKickDeletesOneSession(t *testing.T) {
	t.Parallel()
	const id = "mwr2yhvuf859wunh"
	a := &api{pages: map[string]string{"/sessions/" + id: `{"success":true,"data":{"id":"` + id + `"}}`}}
	n, c := a.serve(t), client()
	if found, err := c.Kick(t.Context(), n, media.Client{ID: id}); !found || err != nil {
		t.Errorf("got %v, %v", found, err)
	}
	if found, err := c.Kick(t.Context(), n, media.Client{ID: "mwr2yhvuxxxxxxxx"}); found || err != nil {
		t.Errorf("somebody who is gone: %v, %v", found, err)
	}
	if want := "DELETE /sessions/" + id; !slices.Contains(a.asked, want) {
		t.Errorf("asked %v", a.asked)
	}
	before := len(a.asked)
	for _, strange := range []string{"", "..", "../login", "a?b", "A1234567890", strings.Repeat("a", 33)} {
		if found, err := c.Kick(t.Context(), n, media.Client{ID: strange}); found || errs.KindOf(err) != errs.BadGateway {
			t.Errorf("%q: %v, %v", strange, found, err)
		}
	}
	if len(a.asked) != before {
		t.Errorf("asked %v", a.asked[before:])
	}
	if _, err := c.Kick(t.Context(), media.Node{}, media.Client{ID: id}); errs.KindOf(err) != errs.Conflict {
		t.Errorf("without a control URL: %v", err)
	}
	n.Password = "wrong"
	if _, err := c.Kick(t.Context(), n, media.Client{ID: id}); errs.KindOf(err) != errs.BadGateway {
		t.Errorf("with a wrong password: %v", err)
	}
}

func TestCodecsAreNamed(t *testing.T) {
	t.Parallel()
	fourCC := func(s string) float64 {
		return float64(uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3]))
	}
	for id, want := range map[float64]string{7: "H264", 12: "HEVC", fourCC("hvc1"): "HEVC", fourCC("av01"): "AV1", fourCC("avc1"): "H264", 0: "", -1: "", 1e300: ""} {
		if got := videoCodec(id); got != want {
			t.Errorf("video %v is %q, want %q", id, got, want)
		}
	}
	for id, want := range map[float64]string{10: "AAC", 2: "MP3", fourCC("Opus"): "Opus", fourCC("mp4a"): "AAC", 0: ""} {
		if got := audioCodec(id); got != want {
			t.Errorf("audio %v is %q, want %q", id, got, want)
		}
	}
}

func TestLinesAreReadyToPaste(t *testing.T) {
	t.Parallel()
	secured := Lines(media.Setup{Base: "https://door.example.com", Node: "edge-1", Secret: "s3cr3t&x"})
	password := apiPassword("s3cr3t&x")
	for _, want := range []string{`notify: { url: "https://door.example.com/callback/node-media-server?secret=s3cr3t%26x" }`, `password: "` + password + `"`,
		"echo '" + password + "' | stagedoor node update edge-1 "} {
		if !strings.Contains(secured, want) {
			t.Errorf("%s\nlacks %s", secured, want)
		}
	}
	if apiPassword("another") == password || strings.Contains(secured, "s3cr3t&x") {
		t.Error("the password is not of this secret alone")
	}
	if open := Lines(media.Setup{Base: "http://127.0.0.1:8080", Node: "local"}); !strings.Contains(open, "password: <choose a password>") || strings.Contains(open, "secret=") {
		t.Errorf("without a secret:\n%s", open)
	}
}
