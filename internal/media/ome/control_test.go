package ome

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
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
	_ media.Puller      = (*Puller)(nil)
)

// server is the API of one application with streams.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	streams map[string]string // name -> source type
	calls   []string
	bodies  []string
	status  int // of creating a stream
	hold    chan struct{}
}

func api(t *testing.T, streams map[string]string) (*server, media.Node) {
	t.Helper()
	s := &server{streams: streams, status: http.StatusCreated}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if user, password, _ := r.BasicAuth(); user != "ome" || password != "token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.mu.Lock()
		s.calls, s.bodies = append(s.calls, r.Method+" "+r.URL.Path), append(s.bodies, string(body))
		hold := s.hold
		s.mu.Unlock()
		if r.Method == http.MethodPost && hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		s.answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s, media.Node{Name: "ome-1", Kind: "ovenmediaengine", ControlURL: s.URL, Username: "ome", Password: "token"}
}

const root = "/v1/vhosts/default/apps"

func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, one := strings.CutPrefix(strings.Replace(r.URL.Path, "/v1/stats/current", "/v1", 1), root+"/live/streams/")
	source, there := s.streams[name]
	switch {
	case r.URL.Path == root:
		_, _ = io.WriteString(w, `{"statusCode":200,"message":"OK","response":["live"]}`)
	case r.URL.Path == root+"/live/streams" && r.Method == http.MethodGet:
		names := []string{}
		for n := range s.streams {
			names = append(names, n)
		}
		list, _ := json.Marshal(names)
		_, _ = io.WriteString(w, `{"statusCode":200,"message":"OK","response":`+string(list)+`}`)
	case r.URL.Path == root+"/live/streams":
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, `{"statusCode":201,"message":"Created rtsp://user:pw@x"}`)
	case !one || !there:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"statusCode":404,"message":"Could not find"}`)
	case r.Method == http.MethodDelete:
		delete(s.streams, name)
		_, _ = io.WriteString(w, `{"statusCode":200,"message":"OK"}`)
	case strings.HasPrefix(r.URL.Path, "/v1/stats"):
		_, _ = io.WriteString(w, `{"statusCode":200,"response":{"connections":{"webrtc":2,"llhls":1,"push":0},"totalBytesIn":1000,"totalBytesOut":3000,`+
			`"lastThroughputIn":2500000,"lastThroughputOut":7500000}}`)
	default:
		_, _ = io.WriteString(w, `{"statusCode":200,"response":{"name":"`+name+`","input":{"createdTime":"2030-05-17T11:59:00.000+00:00","sourceType":"`+source+
			`","tracks":[{"type":"Video","video":{"codec":"H264","width":1280,"height":720,"framerate":29.97}},{"type":"Audio","audio":{"codec":"AAC","samplerate":48000,"channel":2}}]}}}`)
	}
}

func (s *server) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := strings.Join(s.calls, "\n")
	s.calls = nil
	return heard
}

func client() Client {
	return Client{HTTP: &http.Client{Timeout: 10 * time.Second}, Now: func() time.Time { return noon }}
}

func named(name string) media.Stream {
	return media.Stream{Vhost: media.DefaultVhost, App: "live", Name: name}
}

func TestStreamsTellsWhatTheServerTells(t *testing.T) {
	t.Parallel()
	_, n := api(t, map[string]string{"room1": "Rtmp"})
	got, err := client().Streams(t.Context(), n)
	want := media.LiveStream{Stream: named("room1"), Clients: 4, RecvKbps: 2500, SendKbps: 7500, BytesIn: 1000, BytesOut: 3000, Uptime: time.Minute,
		Video: media.Video{Codec: "H264", Width: 1280, Height: 720, FrameRate: 29.97}, Audio: media.Audio{Codec: "AAC", SampleRate: 48000, Channel: 2}}
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("got  %+v %v\nwant %+v", got, err, want)
	}
}

func TestCensusListsPublishersWithoutIds(t *testing.T) {
	t.Parallel()
	_, n := api(t, map[string]string{"room1": "WebRTC", "cam": "RtspPull"})
	got, err := client().Census(t.Context(), n)
	if err != nil || !got.Publishers || got.Players || len(got.Clients) != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	for _, c := range got.Clients {
		if c.ID != "" || c.Scene != media.Publish || c.Relay != (c.Stream.Name == "cam") || c.Uptime != time.Minute {
			t.Errorf("%+v", c)
		}
	}
}

func TestAnotherVirtualHostIsNamedInTheControlURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"http://ome:8081": "http://ome:8081/v1/vhosts/default", "http://ome:8081/": "http://ome:8081/v1/vhosts/default",
		"http://ome:8081/v1": "http://ome:8081/v1/vhosts/default", "http://ome:8081/v1/vhosts/other/": "http://ome:8081/v1/vhosts/other",
	} {
		if got := base(media.Node{ControlURL: url}); got != want {
			t.Errorf("%s: %s", url, got)
		}
	}
}

func TestAnAccessTokenIsSentAsItIs(t *testing.T) {
	t.Parallel()
	for want, n := range map[string]media.Node{
		"Basic b21lOnRva2Vu": {Username: "ome", Password: "token"},
		"Basic b21lOnRva2V=": {},
		"Basic dG9rZW4=":     {Password: "token"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		authorize(r, n)
		if got := r.Header.Get("Authorization"); got != want && n != (media.Node{}) || n == (media.Node{}) && got != "" {
			t.Errorf("%+v: %q", n, got)
		}
	}
}

func TestKickEndsPublishersOnly(t *testing.T) {
	t.Parallel()
	s, n := api(t, map[string]string{"room1": "Rtmp"})
	publisher := media.Client{ID: "incoming 192.0.2.10 41000", Stream: named("room1")}
	viewer := publisher
	viewer.ID = "outgoing 192.0.2.10 41000"
	if _, err := client().Kick(t.Context(), n, viewer); errs.As(err).Reason != "cannot_kick" || s.heard() != "" {
		t.Errorf("viewer: %v", err)
	}
	if found, err := client().Kick(t.Context(), n, publisher); err != nil || !found || s.heard() != "DELETE "+root+"/live/streams/room1" {
		t.Errorf("%v %v", found, err)
	}
	if found, err := client().Kick(t.Context(), n, publisher); err != nil || found {
		t.Errorf("again: %v %v", found, err)
	}
	if _, err := client().Kick(t.Context(), media.Node{}, publisher); errs.KindOf(err) != errs.Conflict {
		t.Error(err)
	}
	n.Password = "wrong"
	if _, err := client().Kick(t.Context(), n, publisher); errs.KindOf(err) != errs.BadGateway {
		t.Error(err)
	}
}

func TestWhatIsNotUnderstoodIsNotAnEmptyList(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"no list": `{"statusCode":200}`, "an error": `{"statusCode":500,"response":[]}`, "HTML": "<html>",
		"another shape": `{"statusCode":200,"response":{"a":1}}`, "too much": strings.Repeat(" ", maxReply+1)} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		n := media.Node{ControlURL: s.URL}
		_, streams := client().Streams(t.Context(), n)
		_, census := client().Census(t.Context(), n)
		for _, err := range []error{streams, census} {
			if errs.KindOf(err) != errs.BadGateway {
				t.Errorf("%s: %v", name, err)
			}
		}
		s.Close()
	}
	if _, err := client().Streams(t.Context(), media.Node{}); errs.KindOf(err) != errs.BadGateway {
		t.Error(err)
	}
}

func TestPullBeginsMovesAndEnds(t *testing.T) {
	t.Parallel()
	s, n := api(t, map[string]string{})
	p := NewPuller(client())
	want := media.Pull{Stream: named("cam"), Source: "rtsp://user:pw@192.0.2.5/cam", IdleAfter: 5 * time.Minute}
	if err := p.Pull(t.Context(), n, want); err != nil {
		t.Fatal(err)
	}
	if s.bodies[0] != `{"name":"cam","urls":["rtsp://user:pw@192.0.2.5/cam"],"properties":{"persistent":false,"noInputFailoverTimeoutMs":10000,"unusedStreamDeletionTimeoutMs":300000}}` {
		t.Error(s.bodies[0])
	}
	if pulls, err := p.Pulls(t.Context(), n); err != nil || len(pulls) != 0 { // it does not play yet
		t.Errorf("%+v %v", pulls, err)
	}
	s.streams["cam"], s.status = "RtspPull", http.StatusConflict
	if err := p.Pull(t.Context(), n, want); err != nil {
		t.Error(err)
	}
	if pulls, err := p.Pulls(t.Context(), n); err != nil || len(pulls) != 1 || pulls[0] != (media.PullState{Stream: named("cam"), Ready: true, Viewers: 3}) {
		t.Errorf("%+v %v", pulls, err)
	}
	s.heard()
	s.status = http.StatusCreated
	want.Source = "rtsp://192.0.2.6/cam"
	if err := p.Pull(t.Context(), n, want); err != nil || s.heard() != "DELETE "+root+"/live/streams/cam\nPOST "+root+"/live/streams" {
		t.Error(err)
	}
	for range 2 {
		if err := p.Unpull(t.Context(), n, want.Stream); err != nil {
			t.Error(err)
		}
	}
	if got := s.heard(); got != "DELETE "+root+"/live/streams/cam" {
		t.Error(got)
	}
}

func TestAPublishedStreamIsNoPull(t *testing.T) {
	t.Parallel()
	s, n := api(t, map[string]string{"room1": "Rtmp"})
	s.status = http.StatusConflict
	p := NewPuller(client())
	err := p.Pull(t.Context(), n, media.Pull{Stream: named("room1"), Source: "ovt://192.0.2.5/live/room1"})
	if errs.As(err).Reason != "cannot_pull" {
		t.Error(err)
	}
	s.heard()
	if err := p.Unpull(t.Context(), n, named("room1")); err != nil || s.heard() != "" {
		t.Error(err)
	}
}

func TestASourceIsNotToldInErrorsAndMayTakeItsTime(t *testing.T) {
	t.Parallel()
	s, n := api(t, map[string]string{})
	p := NewPuller(client())
	want := media.Pull{Stream: named("cam"), Source: "rtsp://user:pw@192.0.2.5/cam"}
	s.status = http.StatusBadGateway
	if err := p.Pull(t.Context(), n, want); errs.KindOf(err) != errs.BadGateway || strings.Contains(err.Error(), "pw@") {
		t.Error(err)
	}
	s.status = http.StatusNotFound
	if err := p.Pull(t.Context(), n, want); errs.KindOf(err) != errs.Conflict {
		t.Error(err)
	}
	for _, source := range []string{"", "rtmp://192.0.2.5/live/x", "rtsp://", "file:///etc/passwd"} {
		if err := p.Pull(t.Context(), n, media.Pull{Stream: named("cam"), Source: source}); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%q: %v", source, err)
		}
	}
	s.mu.Lock()
	s.hold = make(chan struct{})
	s.mu.Unlock()
	t.Cleanup(func() { close(s.hold) })
	if err := p.Pull(t.Context(), n, want); err != nil {
		t.Error(err)
	}
}
