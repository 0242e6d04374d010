package srs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

var _ media.Lister = Client{}

// api serves fixed replies by path, as SRS does: GET only, and a redirect where
// the slash at the end is missing.
func api(t *testing.T, replies map[string]http.HandlerFunc) media.Node {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply, ok := replies[r.URL.Path]
		if !ok || r.Method != http.MethodGet {
			t.Errorf("unexpected %s %s", r.Method, r.URL)
			http.NotFound(w, r)
			return
		}
		reply(w, r)
	}))
	t.Cleanup(server.Close)
	return media.Node{Name: "edge-1", Kind: "srs", ControlURL: server.URL}
}

func client() Client { return Client{HTTP: &http.Client{Timeout: 2 * time.Second}} }

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

func file(t *testing.T, name string) http.HandlerFunc {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "captures", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return says(string(text))
}

func TestStreamsTellsWhatSRSTells(t *testing.T) {
	t.Parallel()
	node := api(t, map[string]http.HandlerFunc{"/api/v1/streams/": file(t, "api_streams")})
	got, err := client().Streams(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	named := func(name string) media.Stream {
		return media.Stream{Vhost: media.DefaultVhost, App: "live", Name: name}
	}
	aac := media.Audio{Codec: "AAC", Profile: "LC", SampleRate: 44100, Channel: 2}
	want := []media.LiveStream{
		{Stream: named("aonly"), Clients: 1, RecvKbps: 72, BytesIn: 382515, BytesOut: 4384, Audio: aac, PublisherID: "d0pm54r3", ServerID: "vid-7272250/zh4a6x53"},
		{Stream: named("room1"), Clients: 2, RecvKbps: 873, SendKbps: 871, BytesIn: 4566582, BytesOut: 4573136, Audio: aac, PublisherID: "6fq57a63", ServerID: "vid-7272250/zh4a6x53",
			Video: media.Video{Codec: "H264", Profile: "Baseline", Level: "3", Width: 640, Height: 360}},
		{Stream: named("mp3"), Clients: 1, RecvKbps: 64, BytesIn: 341824, BytesOut: 4384, PublisherID: "ly143g7f", ServerID: "vid-7272250/zh4a6x53",
			Audio: media.Audio{Codec: "MP3", Profile: "Other", SampleRate: 44100, Channel: 1}},
		{Stream: named("vonly"), Clients: 1, RecvKbps: 570, BytesIn: 2947231, BytesOut: 4384, PublisherID: "461y3ql5", ServerID: "vid-7272250/zh4a6x53",
			Video: media.Video{Codec: "H264", Profile: "Baseline", Level: "1.2", Width: 320, Height: 240}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestStreamThatJustStartedHasZeroMedia(t *testing.T) {
	t.Parallel()
	node := api(t, map[string]http.HandlerFunc{"/api/v1/streams/": file(t, "api_streams_starting")})
	got, err := client().Streams(t.Context(), node)
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	if got[0].Video != (media.Video{}) || got[0].Audio != (media.Audio{}) || got[0].PublisherID != "kb3908d5" {
		t.Errorf("got %+v", got[0])
	}
}

func TestStreamWithoutPublisherIsNotListed(t *testing.T) {
	t.Parallel()
	node := api(t, map[string]http.HandlerFunc{"/api/v1/streams/": file(t, "api_streams_after_unpublish")})
	got, err := client().Streams(t.Context(), node)
	if err != nil || got == nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestOldVersionsAreAskedForVhostNames covers streams without url, as before 5.
func TestOldVersionsAreAskedForVhostNames(t *testing.T) {
	t.Parallel()
	const streams = `{"code":0,"server":"vid-1","streams":[
		{"id":"a","name":"x.flv","vhost":"vid-u2k95z3","app":"live","clients":1,"publish":{"active":true,"cid":"117"}},
		{"id":"b","name":"y","vhost":"vid-other","app":"live","publish":{"active":true,"cid":"118"}}]}`
	node := api(t, map[string]http.HandlerFunc{
		"/api/v1/streams/": says(streams),
		"/api/v1/vhosts/":  file(t, "api_vhosts"),
	})
	got, err := client().Streams(t.Context(), node)
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if want := (media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "x"}); got[0].Stream != want || got[0].ServerID != "" {
		t.Errorf("got %+v", got[0])
	}
	if got[1].Stream.Vhost != "" || got[1].PublisherID != "118" {
		t.Errorf("got %+v", got[1])
	}
}

func TestStreamsOfAnotherVhostAndOfSRS5(t *testing.T) {
	t.Parallel()
	node := api(t, map[string]http.HandlerFunc{"/api/v1/streams/": says(`{"code":0,"server":"vid-1","streams":[
		{"id":"a","name":"x.flv","url":"demo.example/live/sub/x","app":"live/sub","publish":{"active":true}}]}`)})
	got, err := client().Streams(t.Context(), node)
	want := []media.LiveStream{{Stream: media.Stream{Vhost: "demo.example", App: "live/sub", Name: "x"}, ServerID: "vid-1"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// many serves n streams page by page.
func many(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start, _ := strconv.Atoi(r.FormValue("start"))
		count, _ := strconv.Atoi(r.FormValue("count"))
		streams := []object{}
		for i := start; i < min(start+max(count, 10), n); i++ {
			streams = append(streams, object{"id": fmt.Sprint(i), "url": fmt.Sprintf("/live/s%d", i), "publish": object{"active": true}})
		}
		_ = json.NewEncoder(w).Encode(object{"code": 0, "streams": streams})
	}
}

func TestAllPagesAreRead(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, pageSize - 1, pageSize, pageSize + 1, 2*pageSize + 1, maxStreams} {
		got, err := client().Streams(t.Context(), api(t, map[string]http.HandlerFunc{"/api/v1/streams/": many(n)}))
		if err != nil || len(got) != n {
			t.Errorf("%d streams became %d, %v", n, len(got), err)
		}
	}
}

func TestListIsNeverCutShort(t *testing.T) {
	t.Parallel()
	got, err := client().Streams(t.Context(), api(t, map[string]http.HandlerFunc{"/api/v1/streams/": many(maxStreams + pageSize)}))
	if errs.KindOf(err) != errs.BadGateway || got != nil {
		t.Errorf("got %d streams, %v", len(got), err)
	}
}

// TestServerThatDoesNotPageIsReadOnce covers SRS 3, which gives everything for
// every page.
func TestServerThatDoesNotPageIsReadOnce(t *testing.T) {
	t.Parallel()
	asked := 0
	all := many(pageSize + 5)
	node := api(t, map[string]http.HandlerFunc{"/api/v1/streams/": func(w http.ResponseWriter, r *http.Request) {
		asked++
		r.URL.RawQuery = "start=0&count=100000"
		all(w, r)
	}})
	got, err := client().Streams(t.Context(), node)
	if err != nil || len(got) != pageSize+5 || asked != 2 {
		t.Errorf("%d streams in %d requests, %v", len(got), asked, err)
	}
}

func TestCredentialsAreSentWhereThereAreAny(t *testing.T) {
	t.Parallel()
	node := api(t, map[string]http.HandlerFunc{"/api/v1/streams/": func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "admin" || password != "pw" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		many(1)(w, r)
	}})
	if _, err := client().Streams(t.Context(), node); errs.KindOf(err) != errs.BadGateway {
		t.Errorf("without credentials: %v", err)
	}
	node.Username, node.Password = "admin", "pw"
	node.ControlURL += "/"
	if got, err := client().Streams(t.Context(), node); err != nil || len(got) != 1 {
		t.Errorf("with credentials: %v, %v", got, err)
	}
}

func TestBadAnswersAreBadGateway(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]http.HandlerFunc{
		"an error code":  says(`{"code":2048}`),
		"no code":        says(`{"streams":[]}`),
		"no JSON":        says(`<html>`),
		"a wrong type":   says(`{"code":0,"streams":{}}`),
		"nothing":        says(``),
		"too much":       says(`{"code":0,"x":"` + strings.Repeat("x", maxReply) + `"}`),
		"another status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := client().Streams(t.Context(), api(t, map[string]http.HandlerFunc{"/api/v1/streams/": reply}))
			if errs.KindOf(err) != errs.BadGateway || got != nil {
				t.Errorf("got %v, %v", got, err)
			}
			if message := errs.As(err).Message; message != "media server unavailable" {
				t.Errorf("the message tells %q", message)
			}
		})
	}
}

func TestNodeThatCannotBeAskedIsBadGateway(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, url := range []string{"", "://", "ftp://127.0.0.1", gone.URL} {
		if got, err := client().Streams(t.Context(), media.Node{ControlURL: url}); errs.KindOf(err) != errs.BadGateway || got != nil {
			t.Errorf("%q: %v, %v", url, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	node := api(t, map[string]http.HandlerFunc{"/api/v1/streams/": many(1)})
	if _, err := client().Streams(ctx, node); errs.KindOf(err) != errs.BadGateway {
		t.Errorf("cancelled: %v", err)
	}
}
