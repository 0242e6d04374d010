package mediamtx

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// fakeAPI is the control API of a MediaMTX: the lists that one gave, and the
// configuration of paths, which it keeps.
type fakeAPI struct {
	mu     sync.Mutex
	lists  map[string][]json.RawMessage // those that are not there are switched off
	confs  map[string]map[string]any
	kicked []string
	calls  []string
}

func newAPI(t *testing.T) (*fakeAPI, media.Node) {
	t.Helper()
	var captured map[string]struct{ Items []json.RawMessage }
	load(t, "lists.json", &captured)
	a := &fakeAPI{lists: map[string][]json.RawMessage{}, confs: map[string]map[string]any{}}
	for place, l := range captured {
		a.lists[place] = l.Items
	}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	return a, media.Node{Name: "edge-1", ControlURL: srv.URL + "/", Username: "ops", Password: "let me in"}
}

func (a *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, r.Method+" "+r.URL.Path)
	if user, password, _ := r.BasicAuth(); user != "ops" || password != "let me in" {
		fail(w, 401, "authentication error")
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/v3/")
	if rest, conf := strings.CutPrefix(path, "config/paths/"); conf {
		a.configure(w, r, rest)
		return
	}
	parts := strings.Split(path, "/")
	items, on := a.lists[parts[0]]
	switch {
	case path == "config/global/get":
		_, _ = w.Write([]byte(`{}`))
	case !ok || !on || len(parts) < 2:
		http.Error(w, "404 page not found", 404)
	case parts[1] == "list":
		a.page(w, r, items)
	default:
		a.one(w, items, parts[1], parts[2])
	}
}

func fail(w http.ResponseWriter, status int, why string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": "error", "error": why})
}

func (a *fakeAPI) page(w http.ResponseWriter, r *http.Request, items []json.RawMessage) {
	size, _ := strconv.Atoi(r.URL.Query().Get("itemsPerPage"))
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	from, to := min(page*size, len(items)), min((page+1)*size, len(items))
	_ = json.NewEncoder(w).Encode(map[string]any{"itemCount": len(items), "pageCount": (len(items) + size - 1) / size,
		"items": append([]json.RawMessage{}, items[from:to]...)})
}

func (a *fakeAPI) one(w http.ResponseWriter, items []json.RawMessage, verb, id string) {
	for _, item := range items {
		if strings.Contains(string(item), `"`+id+`"`) {
			if verb == "kick" {
				a.kicked = append(a.kicked, id)
			}
			_, _ = w.Write([]byte(`{"status":"ok"}`))
			return
		}
	}
	if len(id) != 36 {
		fail(w, 400, "invalid UUID length")
		return
	}
	fail(w, 404, "session not found")
}

func (a *fakeAPI) configure(w http.ResponseWriter, r *http.Request, path string) {
	verb, name, _ := strings.Cut(path, "/")
	conf, there := a.confs[name]
	switch {
	case verb == "list":
		var all []json.RawMessage
		for name, conf := range a.confs {
			conf["name"] = name
			text, _ := json.Marshal(conf)
			all = append(all, text)
		}
		a.page(w, r, all)
		return
	case verb == "add" && there:
		fail(w, 400, "path already exists")
		return
	case verb == "add":
		conf = map[string]any{"sourceOnDemandStartTimeout": "10s"}
	case !there:
		fail(w, 404, "path configuration not found")
		return
	case verb == "delete":
		delete(a.confs, name)
	case verb == "get":
		_ = json.NewEncoder(w).Encode(conf)
		return
	}
	if verb == "add" || verb == "patch" {
		if err := json.NewDecoder(r.Body).Decode(&conf); err != nil || strings.Contains(fmt.Sprint(conf["source"]), "refuseme") {
			fail(w, 400, fmt.Sprint("not a source: ", conf["source"]))
			return
		}
		a.confs[name] = conf
	}
	_, _ = w.Write([]byte(`{"status":"ok"}`))
}

func client() Client {
	return Client{HTTP: &http.Client{Timeout: 10 * time.Second}, Now: func() time.Time { return time.Date(2026, 11, 22, 0, 1, 42, 0, time.UTC) }}
}

func TestStreamsAreThoseOnAir(t *testing.T) {
	t.Parallel()
	a, n := newAPI(t)
	a.lists["paths"] = append(a.lists["paths"],
		json.RawMessage(`{"name":"pull/cam1","available":true,"source":{"type":"rtspSource","id":""},"readers":[{},{}],"tracks2":[
			{"codec":"AV1","codecProps":{"width":1280,"height":720,"profile":0,"level":8}},{"codec":"Opus","codecProps":{"channelCount":2}}]}`),
		json.RawMessage(`{"name":"pull/idle","source":{"type":"rtspSource","id":""}}`),
		json.RawMessage(`{"name":"old/x","ready":true,"source":{"type":"rtmpConn","id":"c9"},"bytesReceived":7,"bytesSent":8}`))
	streams, err := client().Streams(t.Context(), n)
	if err != nil || len(streams) != 3 {
		t.Fatalf("%+v, %v", streams, err)
	}
	want := media.LiveStream{Stream: media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "rtsp1"}, Clients: 1, BytesIn: 1998017, BytesOut: 696910,
		Video:  media.Video{Codec: "H264", Profile: "Baseline", Level: "3", Width: 640, Height: 360},
		Audio:  media.Audio{Codec: "MPEG-4 Audio", SampleRate: 44100, Channel: 1},
		Uptime: streams[0].Uptime, PublisherID: "228b0d00-2d50-495d-a2ba-f7328cd41f8c"}
	if streams[0] != want || want.Uptime.Round(time.Second) != 29*time.Second {
		t.Errorf("got  %+v\nwant %+v", streams[0], want)
	}
	if p := streams[1]; !p.Relay || p.Clients != 3 || p.PublisherID != "" || p.Video.Profile != "0" || p.Video.Level != "8" || p.Audio.Channel != 2 {
		t.Errorf("a pull: %+v", p)
	}
	if o := streams[2]; o.BytesIn != 7 || o.BytesOut != 8 || o.PublisherID != "c9" {
		t.Errorf("of an old version: %+v", o)
	}
}

func TestTheCensusIsEverybody(t *testing.T) {
	t.Parallel()
	a, n := newAPI(t)
	a.lists["srtconns"] = []json.RawMessage{json.RawMessage(`{"id":"s1","remoteAddr":"[2001:db8::1]:9","state":"idle","path":"","query":""}`)}
	a.lists["hlssessions"] = append(a.lists["hlssessions"], json.RawMessage(`{"id":"cdn","remoteAddr":"192.0.2.1:9","path":"live/room1","isCDN":true}`))
	census, err := client().Census(t.Context(), n)
	if err != nil || !census.Publishers || !census.Players {
		t.Fatalf("%+v, %v", census, err)
	}
	byID := map[string]media.LiveClient{}
	for _, c := range census.Clients {
		byID[c.ID] = c
	}
	if len(byID) != 7 {
		t.Errorf("%d clients", len(byID))
	}
	room := media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "room1"}
	got := byID["d8c8b662-6a2b-4e8a-8eb4-539d4bc8e8d2"]
	want := media.LiveClient{Client: media.Client{ID: got.ID, Stream: room, Address: "127.0.0.1", Protocol: "rtmp"}, Scene: media.Publish,
		Query: "auth_key=123-0-0-abc&x=1", QueryTold: true, Uptime: got.Uptime, BytesIn: 1329850, BytesOut: 3467}
	if got != want || got.Uptime.Round(time.Second) != 19*time.Second {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if c := byID["2a133be6-782e-4155-bb65-e0bd47912881"]; c.Scene != media.Play || c.Protocol != "hls" || c.Stream != room || !c.QueryTold {
		t.Errorf("HLS: %+v", c)
	}
	if c := byID["e2da2c57-9137-4132-9c22-9443929ee193"]; c.Scene != media.Play || c.QueryTold {
		t.Errorf("RTSP with a name and perhaps a password: %+v", c)
	}
	if c := byID["s1"]; c.Scene != "" || c.Stream.Name != "" || c.Address != "2001:db8::1" || c.QueryTold {
		t.Errorf("an idle connection: %+v", c)
	}
	if c := byID["cdn"]; !c.Relay {
		t.Errorf("a cache: %+v", c)
	}
}

func TestALongListIsReadAtOnceAndNeverCutShort(t *testing.T) {
	t.Parallel()
	a, n := newAPI(t)
	a.fill("rtmpconns", maxItems)
	a.calls = nil
	census, err := client().Census(t.Context(), n)
	if err != nil || len(census.Clients) != maxItems+3 {
		t.Errorf("%d clients, %v", len(census.Clients), err)
	}
	if asked := strings.Join(a.calls, " "); strings.Count(asked, "rtmpconns") != 1 {
		t.Errorf("asked %s", asked)
	}
	a.fill("rtmpconns", maxItems+1)
	if _, err := client().Census(t.Context(), n); errs.As(err).Reason != "media_server_unavailable" {
		t.Errorf("more than anybody can carry: %v", err)
	}
}

func (a *fakeAPI) fill(place string, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lists[place] = nil
	for i := range n {
		a.lists[place] = append(a.lists[place], fmt.Appendf(nil, `{"id":"c%d","state":"read","path":"live/x","remoteAddr":"192.0.2.1:9"}`, i))
	}
}

func TestWhatIsNoAPINeverLooksEmpty(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"nothing there":   func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"another page":    func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(`<html>`)) },
		"empty objects":   func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(`{}`)) },
		"a failure":       func(w http.ResponseWriter, r *http.Request) { fail(w, 500, "oops") },
		"not for us":      func(w http.ResponseWriter, r *http.Request) { fail(w, 401, "authentication error") },
		"a flood":         func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(make([]byte, maxReply+1)) },
		"items of others": func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(`{"itemCount":1,"items":[7]}`)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(h)
			defer srv.Close()
			n := media.Node{ControlURL: srv.URL}
			if c, err := client().Census(t.Context(), n); errs.KindOf(err) != errs.BadGateway {
				t.Errorf("census: %+v, %v", c, err)
			}
			if s, err := client().Streams(t.Context(), n); errs.KindOf(err) != errs.BadGateway {
				t.Errorf("streams: %+v, %v", s, err)
			}
			if name != "another page" && name != "empty objects" && name != "items of others" {
				if found, err := client().Kick(t.Context(), n, media.Client{ID: session, Protocol: "hls"}); errs.KindOf(err) != errs.BadGateway || found {
					t.Errorf("kick: %v, %v", found, err)
				}
			}
		})
	}
	if _, err := client().Census(t.Context(), media.Node{}); errs.KindOf(err) != errs.BadGateway {
		t.Errorf("without a control URL: %v", err)
	}
}

func TestKickFindsTheCollection(t *testing.T) {
	t.Parallel()
	a, n := newAPI(t)
	a.lists["rtspssessions"] = []json.RawMessage{json.RawMessage(`{"id":"11111111-2222-3333-4444-555555555555"}`)}
	for _, c := range []struct {
		who   media.Client
		found bool
	}{
		{media.Client{ID: "d8c8b662-6a2b-4e8a-8eb4-539d4bc8e8d2", Protocol: "rtmp"}, true},
		{media.Client{ID: "11111111-2222-3333-4444-555555555555", Protocol: "rtsp"}, true},
		{media.Client{ID: "2a133be6-782e-4155-bb65-e0bd47912881"}, true}, // the protocol is not known
		{media.Client{ID: "00000000-0000-0000-0000-000000000000", Protocol: "rtmp"}, false},
		{media.Client{ID: "not-a-uuid", Protocol: "rtmp"}, false},
	} {
		if found, err := client().Kick(t.Context(), n, c.who); err != nil || found != c.found {
			t.Errorf("%+v: %v, %v", c.who, found, err)
		}
		if has, err := client().Has(t.Context(), n, c.who); err != nil || has != c.found {
			t.Errorf("has %+v: %v, %v", c.who, has, err)
		}
	}
	if len(a.kicked) != 3 {
		t.Errorf("kicked %v", a.kicked)
	}
}

func TestWhoCannotBeKicked(t *testing.T) {
	t.Parallel()
	a, n := newAPI(t)
	delete(a.lists, "hlssessions")
	for name, c := range map[string]struct {
		n    media.Node
		who  media.Client
		kind errs.Kind
	}{
		"viewers of an old version":  {n, media.Client{ID: session, Protocol: "hls"}, errs.Conflict},
		"anybody without an API":     {media.Node{}, media.Client{ID: session, Protocol: "rtmp"}, errs.Conflict},
		"nobody":                     {n, media.Client{Protocol: "rtmp"}, errs.BadGateway},
		"anybody, with a wrong name": {media.Node{ControlURL: n.ControlURL, Username: "x"}, media.Client{ID: session, Protocol: "rtmp"}, errs.BadGateway},
	} {
		if found, err := client().Kick(t.Context(), c.n, c.who); found || errs.KindOf(err) != c.kind {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

func TestAPullIsConfiguredOnce(t *testing.T) {
	t.Parallel()
	a, n := newAPI(t)
	cam := media.Pull{Stream: media.Stream{Vhost: media.DefaultVhost, App: "hr", Name: "door"}, Source: "rtsp://u:p$w@203.0.113.9/video", IdleAfter: 36 * time.Hour}
	pull := func(p media.Pull) {
		t.Helper()
		if err := client().Pull(t.Context(), n, p); err != nil {
			t.Fatal(err)
		}
	}
	pull(cam)
	want := map[string]any{"source": "rtsp://u:p%24w@203.0.113.9/video", "sourceOnDemand": true, "sourceOnDemandCloseAfter": "36h0m0s",
		"sourceOnDemandStartTimeout": "10.001s", "rtspTransport": "tcp"}
	if got := a.confs["hr/door"]; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	a.confs["hr/door"]["sourceOnDemandCloseAfter"] = "1d12h0m0s" // as MediaMTX writes it
	a.calls = nil
	pull(cam)
	if len(a.calls) != 1 {
		t.Errorf("the same again restarts it: %v", a.calls)
	}
	cam.KeepAlive, cam.Source = true, "rtmp://203.0.113.9/live/x"
	pull(cam)
	if got := a.confs["hr/door"]; got["sourceOnDemand"] != false || got["source"] != cam.Source {
		t.Errorf("after the change: %v", got)
	}
}

func TestPullsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	a, n := newAPI(t)
	a.confs["own/cam"] = map[string]any{"source": "rtsp://203.0.113.9/", "sourceOnDemandStartTimeout": "10s"}
	for _, name := range []string{"a", "b"} {
		p := media.Pull{Stream: media.Stream{App: "hr", Name: name}, Source: "rtsp://203.0.113.9/video"}
		if err := client().Pull(t.Context(), n, p); err != nil {
			t.Fatal(err)
		}
	}
	a.lists["paths"] = append(a.lists["paths"], json.RawMessage(`{"name":"hr/a","available":true,"source":{"type":"rtspSource"},"readers":[{},{}]}`))
	pulls, err := client().Pulls(t.Context(), n)
	got := map[string]media.PullState{}
	for _, p := range pulls {
		got[p.Stream.Name] = p
	}
	if err != nil || len(pulls) != 2 || !got["a"].Ready || got["a"].Viewers != 2 || got["b"].Ready {
		t.Errorf("%+v, %v", pulls, err)
	}
	for _, st := range []media.Stream{{App: "hr", Name: "a"}, {App: "hr", Name: "a"}, {App: "own", Name: "cam"}, {App: "~^x", Name: "y"}} {
		if err := client().Unpull(t.Context(), n, st); err != nil {
			t.Errorf("%v: %v", st, err)
		}
	}
	if len(a.confs) != 2 || a.confs["own/cam"] == nil || a.confs["hr/b"] == nil {
		t.Errorf("left: %v", a.confs)
	}
	if !client().OnDemand() {
		t.Error("MediaMTX pulls on demand itself")
	}
}

func TestAPullThatCannotBe(t *testing.T) {
	t.Parallel()
	a, n := newAPI(t)
	a.confs["own/cam"] = map[string]any{"source": "publisher", "sourceOnDemandStartTimeout": "10s"}
	good := media.Stream{App: "hr", Name: "door"}
	for name, c := range map[string]struct {
		p    media.Pull
		kind errs.Kind
	}{
		"of a file":              {media.Pull{Stream: good, Source: "file:///etc/passwd"}, errs.Invalid},
		"of no host":             {media.Pull{Stream: good, Source: "rtsp:///x"}, errs.Invalid},
		"of no URL":              {media.Pull{Stream: good, Source: "rtsp://%zz"}, errs.Invalid},
		"under a pattern":        {media.Pull{Stream: media.Stream{App: "~^hr", Name: ".*"}, Source: "rtsp://h/x"}, errs.Invalid},
		"under a path upwards":   {media.Pull{Stream: media.Stream{App: "..", Name: "x"}, Source: "rtsp://h/x"}, errs.Invalid},
		"under a name with room": {media.Pull{Stream: media.Stream{App: "hr", Name: "a b"}, Source: "rtsp://h/x"}, errs.Invalid},
		"in the operator's path": {media.Pull{Stream: media.Stream{App: "own", Name: "cam"}, Source: "rtsp://h/x"}, errs.Conflict},
		"that is not taken":      {media.Pull{Stream: good, Source: "rtsp://u:secret@refuseme/x"}, errs.Conflict},
	} {
		err := client().Pull(t.Context(), n, c.p)
		if errs.KindOf(err) != c.kind || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client().Pull(gone, n, media.Pull{Stream: good, Source: "rtsp://u:secret@h/x"}); errs.KindOf(err) != errs.BadGateway ||
		strings.Contains(fmt.Sprint(err), "secret") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestLinesSuitTheNode(t *testing.T) {
	t.Parallel()
	s := media.Setup{Base: "https://door.example", Node: "edge-1", Secret: "s3cr3t"}
	open := Lines(s)
	for _, want := range []string{"authHTTPAddress: 'https://door.example/callback/mediamtx?secret=s3cr3t'", "apiAddress: '127.0.0.1:9997'", "{action: api}",
		"overridePublisher: no", "https://door.example/callback/mediamtx/event?secret=s3cr3t'\n"} {
		if !strings.Contains(open, want) {
			t.Errorf("%s is missing in\n%s", want, open)
		}
	}
	s.Username, s.ControlURL = "ops", "http://10.0.0.5:19997/"
	if closed := Lines(s); strings.Contains(closed, "action: api}") || !strings.Contains(closed, "apiAddress: '10.0.0.5:19997'") {
		t.Errorf("with a name and a password:\n%s", closed)
	}
}
