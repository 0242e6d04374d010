package zlm

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

var (
	_ media.Lister      = Client{}
	_ media.CensusTaker = Client{}
	_ media.Kicker      = Client{}
	_ media.Puller      = Client{}
)

const secret = "the secret of the API"

// server answers as the API does: a call by its name and, where there is one, a
// schema, with status 200 always.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	says  map[string]string
	calls []string
	slow  map[string]chan struct{}
}

func api(t *testing.T, says map[string]string) (*server, media.Node) {
	t.Helper()
	s := &server{says: says, slow: map[string]chan struct{}{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/index/api/")
		if r.Method != http.MethodPost || r.URL.RawQuery != "" || r.PostFormValue("secret") != secret {
			t.Errorf("%s %s with secret %q", r.Method, r.URL, r.PostFormValue("secret"))
		}
		s.mu.Lock()
		call := name
		for _, arg := range []string{"id", "key", "url", "auto_close"} {
			if v := r.PostFormValue(arg); v != "" {
				call += " " + v
			}
		}
		s.calls = append(s.calls, call)
		body, ok := s.says[name+" "+r.PostFormValue("schema")]
		if !ok {
			body, ok = s.says[name]
		}
		wait := s.slow[name]
		s.mu.Unlock()
		if wait != nil {
			select {
			case <-wait:
			case <-r.Context().Done():
			}
		}
		if !ok {
			t.Errorf("unexpected %s", call)
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s, media.Node{Name: "edge-1", Kind: "zlmediakit", ControlURL: s.URL + "/", Password: secret}
}

func (s *server) set(name, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says[name] = body
}

func (s *server) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := strings.Join(s.calls, "\n")
	s.calls = nil
	return heard
}

func client() Client { return New(&http.Client{Timeout: 10 * time.Second}) }

func file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "captures", "api-"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const (
	done   = `{"code":0}`
	config = `{"code":0,"data":[{"general.mediaServerId":"zlm-1","api.secret":"x"}]}`
)

func TestStreamsTellsWhatTheServerTells(t *testing.T) {
	t.Parallel()
	_, n := api(t, map[string]string{"getMediaList": file(t, "media-list")})
	got, err := client().Streams(t.Context(), n)
	if err != nil || len(got) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	want := media.LiveStream{Stream: media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "room1"}, Clients: 6, RecvKbps: 345, BytesIn: 289647,
		Video: media.Video{Codec: "H264", Width: 320, Height: 240, FrameRate: 15}, Audio: media.Audio{Codec: "AAC", SampleRate: 44100, Channel: 1},
		Uptime: 6 * time.Second, PublisherID: "2-15"}
	if got[0] != want {
		t.Errorf("got  %+v\nwant %+v", got[0], want)
	}
}

func TestAStreamThatTheServerFetchesIsARelay(t *testing.T) {
	t.Parallel()
	for origin, relay := range map[string]bool{"1": false, "2": false, "3": false, "4": true, "5": true, "6": true, "7": true, "8": false, "9": false} {
		_, n := api(t, map[string]string{"getMediaList": `{"code":0,"data":[{"vhost":"v","app":"a","stream":"s","originType":` + origin +
			`,"originSock":{"identifier":"1-2"}}]}`})
		got, err := client().Streams(t.Context(), n)
		if err != nil || len(got) != 1 || got[0].Relay != relay || (got[0].PublisherID == "") != relay {
			t.Errorf("origin %s: %+v %v", origin, got, err)
		}
	}
}

func TestCensusNamesWhoItCanAndListsAllOthers(t *testing.T) {
	t.Parallel()
	says := map[string]string{"getServerConfig": config, "getMediaList": file(t, "media-list"), "getAllSession": file(t, "sessions")}
	for _, schema := range []string{"rtmp", "rtsp", "ts"} {
		says["getMediaPlayerList "+schema] = file(t, "players-"+schema)
	}
	_, n := api(t, says)
	got, err := client().Census(t.Context(), n)
	if err != nil || got.ServerID != "zlm-1/" || !got.Publishers || !got.Players || len(got.Unlisted) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	found := map[string]string{}
	for _, c := range got.Clients {
		found[c.ID] = string(c.Scene) + " " + c.Protocol + " " + c.Stream.Name
		if c.Address != "127.0.0.1" {
			t.Errorf("%+v", c)
		}
		if c.ID == "2-15" && (c.Query != "token=abc&x=1" || c.Uptime != 6*time.Second || c.Relay) {
			t.Errorf("%+v", c)
		}
	}
	for id, want := range map[string]string{"2-15": "publish rtmp room1", "7-19": "play rtmp room1", "5-17": "play http-flv room1",
		"6-18": "play rtsp room1", "4-16": "play http-ts room1", "11-20": "  "} {
		if found[id] != want {
			t.Errorf("%s is %q, want %q", id, found[id], want)
		}
	}
	if len(got.Clients) != 6 {
		t.Errorf("%d clients", len(got.Clients))
	}
}

func TestAnEmptyServerIsEmptyAndNotBroken(t *testing.T) {
	t.Parallel()
	_, n := api(t, map[string]string{"getServerConfig": config, "getMediaList": done, "getAllSession": done})
	census, err := client().Census(t.Context(), n)
	streams, err2 := client().Streams(t.Context(), n)
	if err != nil || err2 != nil || len(census.Clients) != 0 || len(streams) != 0 {
		t.Errorf("%+v %v, %+v %v", census, err, streams, err2)
	}
}

func TestAStreamThatEndsMeanwhileSpoilsNoCensus(t *testing.T) {
	t.Parallel()
	_, n := api(t, map[string]string{"getServerConfig": config, "getMediaList": file(t, "media-list"), "getAllSession": file(t, "sessions"),
		"getMediaPlayerList": `{"code":-500,"msg":"can not find the stream"}`})
	if got, err := client().Census(t.Context(), n); err != nil || len(got.Clients) != 6 {
		t.Errorf("%+v %v", got, err)
	}
}

func TestWhatIsNotUnderstoodIsNotAnEmptyList(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"login":         `{"code":-100,"msg":"Please login first"}`,
		"no code":       `{"data":[]}`,
		"another shape": `{"code":0,"data":{"a":1}}`,
		"not JSON":      `<html>`,
		"too much":      `{"code":0,"msg":"` + strings.Repeat("x", maxReply) + `"}`,
	} {
		_, n := api(t, map[string]string{"getServerConfig": body, "getMediaList": body, "getAllSession": body, "listStreamProxy": body})
		_, streams := client().Streams(t.Context(), n)
		_, census := client().Census(t.Context(), n)
		_, pulls := client().Pulls(t.Context(), n)
		_, kick := client().Kick(t.Context(), n, media.Client{ID: "1-2"})
		for _, err := range []error{streams, census, pulls, kick} {
			if e := errs.As(err); err == nil || e.Kind != errs.BadGateway || strings.Contains(e.Message, secret) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := client().Streams(t.Context(), media.Node{}); errs.KindOf(err) != errs.BadGateway {
		t.Errorf("no control URL: %v", err)
	}
}

func TestKickCutsOffOnlyWhoIsMeant(t *testing.T) {
	t.Parallel()
	s, n := api(t, map[string]string{"getAllSession": file(t, "sessions"), "kick_session": done})
	who := media.Client{ID: "2-15", Address: "127.0.0.1", Protocol: "rtmp"}
	if found, err := client().Kick(t.Context(), n, who); err != nil || !found || s.heard() != "getAllSession\nkick_session 2-15" {
		t.Errorf("%v %v", found, err)
	}
	elsewhere, gone := who, who
	elsewhere.Address, gone.ID = "192.0.2.1", "99-1"
	for _, c := range []media.Client{elsewhere, gone} {
		if found, err := client().Kick(t.Context(), n, c); err != nil || found || strings.Contains(s.heard(), "kick_session") {
			t.Errorf("%+v: %v %v", c, found, err)
		}
	}
	s.set("kick_session", `{"code":-1,"msg":"can not find the target"}`)
	if found, err := client().Kick(t.Context(), n, who); err != nil || found {
		t.Errorf("%v %v", found, err)
	}
	s.set("kick_session", `{"code":-300}`)
	if _, err := client().Kick(t.Context(), n, who); errs.KindOf(err) != errs.BadGateway {
		t.Error(err)
	}
	hls := who
	hls.Protocol = "hls"
	if _, err := client().Kick(t.Context(), n, hls); errs.KindOf(err) != errs.Conflict {
		t.Error(err)
	}
	if _, err := client().Kick(t.Context(), media.Node{}, who); errs.KindOf(err) != errs.Conflict {
		t.Error(err)
	}
	if _, err := client().Kick(t.Context(), n, media.Client{}); errs.KindOf(err) != errs.BadGateway {
		t.Error(err)
	}
}

var wanted = media.Pull{Stream: media.Stream{Vhost: media.DefaultVhost, App: "proxy", Name: "p1"}, Source: "rtsp://user:pw@192.0.2.5/cam"}

func listing(source string, status int) string {
	text, _ := json.Marshal(map[string]any{"code": 0, "data": []map[string]any{{"key": "__defaultVhost__/proxy/p1", "url": source, "status": status,
		"totalReaderCount": 3, "src": map[string]string{"vhost": media.DefaultVhost, "app": "proxy", "stream": "p1"}}}})
	return string(text)
}

func TestPullBeginsOnceAndEnds(t *testing.T) {
	t.Parallel()
	s, n := api(t, map[string]string{"listStreamProxy": done, "addStreamProxy": `{"code":0,"data":{"key":"k"}}`, "delStreamProxy": done})
	c := client()
	if err := c.Pull(t.Context(), n, wanted); err != nil {
		t.Fatal(err)
	}
	if got := s.heard(); got != "listStreamProxy __defaultVhost__/proxy/p1\naddStreamProxy "+wanted.Source+" 1" {
		t.Errorf("heard %s", got)
	}
	s.set("listStreamProxy", listing(wanted.Source, 0))
	if err := c.Pull(t.Context(), n, wanted); err != nil || strings.Contains(s.heard(), "addStreamProxy") {
		t.Errorf("again: %v", err)
	}
	pulls, err := c.Pulls(t.Context(), n)
	if err != nil || len(pulls) != 1 || pulls[0] != (media.PullState{Stream: wanted.Stream, Ready: true, Viewers: 3}) {
		t.Errorf("%+v %v", pulls, err)
	}
	s.heard()
	moved := wanted
	moved.Source, moved.KeepAlive = "rtmp://192.0.2.6/live/x", true
	if err := c.Pull(t.Context(), n, moved); err != nil {
		t.Error(err)
	}
	if got := s.heard(); !strings.HasSuffix(got, "delStreamProxy __defaultVhost__/proxy/p1\naddStreamProxy "+moved.Source+" 0") {
		t.Errorf("heard %s", got)
	}
	if err := c.Unpull(t.Context(), n, wanted.Stream); err != nil || s.heard() != "delStreamProxy __defaultVhost__/proxy/p1" {
		t.Error(err)
	}
	if err := c.Unpull(t.Context(), n, wanted.Stream); err != nil || s.heard() != "" {
		t.Error(err)
	}
}

func TestPullsOfOthersAreNoneOfOurBusiness(t *testing.T) {
	t.Parallel()
	s, n := api(t, map[string]string{"listStreamProxy": listing("rtmp://192.0.2.9/live/x", 0)})
	c := client()
	if err := c.Pull(t.Context(), n, wanted); errs.As(err).Reason != "cannot_pull" {
		t.Error(err)
	}
	if err := c.Unpull(t.Context(), n, wanted.Stream); err != nil {
		t.Error(err)
	}
	if pulls, err := c.Pulls(t.Context(), n); err != nil || len(pulls) != 0 {
		t.Errorf("%+v %v", pulls, err)
	}
	s.set("listStreamProxy", listing(wanted.Source, -1)) // what an earlier process of ours began
	if err := c.Pull(t.Context(), n, wanted); err != nil {
		t.Error(err)
	}
	if pulls, err := c.Pulls(t.Context(), n); err != nil || len(pulls) != 1 || pulls[0].Ready {
		t.Errorf("%+v %v", pulls, err)
	}
}

func TestASourceThatTakesItsTimeIsBegun(t *testing.T) {
	t.Parallel()
	s, n := api(t, map[string]string{"listStreamProxy": done, "addStreamProxy": done})
	s.slow["addStreamProxy"] = make(chan struct{})
	t.Cleanup(func() { close(s.slow["addStreamProxy"]) })
	if err := client().Pull(t.Context(), n, wanted); err != nil {
		t.Error(err)
	}
}

func TestASourceIsNotToldInErrors(t *testing.T) {
	t.Parallel()
	_, n := api(t, map[string]string{"listStreamProxy": done, "addStreamProxy": `{"code":-1,"msg":"cannot play ` + wanted.Source + `"}`})
	if err := client().Pull(t.Context(), n, wanted); errs.KindOf(err) != errs.BadGateway || strings.Contains(err.Error(), "pw@") {
		t.Error(err)
	}
	for _, source := range []string{"", "rtsp://", "file:///etc/passwd", "srt://192.0.2.5", "cam", "ffmpeg -i x"} {
		if err := client().Pull(t.Context(), n, media.Pull{Stream: wanted.Stream, Source: source}); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%q: %v", source, err)
		}
	}
}
