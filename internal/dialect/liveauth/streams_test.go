package liveauth

import (
	"errors"
	"math"
	"net/http"
	"testing"

	gen "github.com/stagedoor-live/stagedoor/gen/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// What a stream looks like of which its media server tells nothing.
const (
	noVideo = `"video":{"codec":"","height":0,"level":"","profile":"","width":0}`
	noAudio = `"audio":{"channel":0,"codec":"","profile":"","sample_rate":0}`
)

func TestNoStreamsAreAnEmptyList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, ask("GET", "/streams/list", b.alice)).want(t, http.StatusOK, `{"code":0,"streams":[]}`)
}

func TestStreamsShowEveryFieldOfWhatTheMediaServerTells(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.publish(t, b.alice, "live", "room1")
	b.media.tell(nil, media.LiveStream{
		Stream:  media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "room1"},
		Clients: 3, RecvKbps: 1480, SendKbps: 2960,
		Video: media.Video{Codec: "H264", Profile: "High", Level: "3.1", Width: 1280, Height: 720},
		Audio: media.Audio{Codec: "AAC", Profile: "LC", SampleRate: 44100, Channel: 2},
	})
	b.send(t, ask("GET", "/streams/list", b.bob)).want(t, http.StatusOK,
		`{"code":0,"streams":[{`+
			`"audio":{"channel":2,"codec":"AAC","profile":"LC","sample_rate":44100},`+
			`"clients":3,"kbps":{"recv_30s":1480,"send_30s":2960},"name":"room1",`+
			`"play_url":"http://srs1.example.com/live/room1.flv",`+
			`"video":{"codec":"H264","height":720,"level":"3.1","profile":"High","width":1280}}]}`)
}

func TestStreamsOfASilentNodeHaveZerosInstead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.publish(t, b.alice, "live", "room1")
	b.media.tell(errors.New("dial tcp 192.0.2.9:1985: connection refused"))
	b.send(t, ask("GET", "/streams/list", b.alice)).want(t, http.StatusOK,
		`{"code":0,"streams":[{`+noAudio+`,"clients":1,"kbps":{"recv_30s":0,"send_30s":0},"name":"room1",`+
			`"play_url":"http://srs1.example.com/live/room1.flv",`+noVideo+`}]}`)
}

func TestStreamsAreSortedByApplicationAndName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, st := range [][2]string{{"live", "b"}, {"vod", "a"}, {"live", "a"}, {"cam", "z"}} {
		b.publish(t, b.alice, st[0], st[1])
	}
	var got []string
	for _, s := range decode[gen.LiveStreamResponse](t, b.send(t, ask("GET", "/streams/list", b.alice))).Streams {
		got = append(got, s.PlayURL)
	}
	want := []string{"cam/z", "live/a", "live/b", "vod/a"}
	for i := range want {
		if len(got) != len(want) || got[i] != "http://srs1.example.com/"+want[i]+".flv" {
			t.Fatalf("got %q, want the order %q", got, want)
		}
	}
}

func TestFiguresOfAMediaServerStayWithinTheContract(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int32{0: 0, 7: 7, -1: 0, math.MaxInt32: math.MaxInt32, math.MaxInt32 + 1: math.MaxInt32} {
		if got := count(n); got != want {
			t.Errorf("%d became %d", n, got)
		}
	}
}

func TestStreamsTellThatAMediaServerFailedAndNotHow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.streams.err = errs.New(errs.BadGateway, "media_server", "srs1 said 500").With(errors.New("GET http://192.0.2.9:1985/api"))
	b.send(t, ask("GET", "/streams/list", b.alice)).want(t, http.StatusBadGateway, `{"detail":"media server unavailable"}`)
}
