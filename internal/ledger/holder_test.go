package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/nginxrtmp"
	"github.com/stagedoor-live/stagedoor/internal/media/srs"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// capturedStat is the statistics page of an nginx on which client 1 publishes
// live/room1.
func capturedStat(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../media/nginxrtmp/testdata/captures/20-stat-xml.json")
	if err != nil {
		t.Fatal(err)
	}
	var capture struct {
		Exchanges []struct {
			Response struct{ Body string }
		}
	}
	if err := json.Unmarshal(text, &capture); err != nil {
		t.Fatal(err)
	}
	return capture.Exchanges[0].Response.Body
}

// pages serves a control page and points a node at it.
func (b *bench) pages(t *testing.T, name, kind string, serve http.HandlerFunc) {
	t.Helper()
	srv := httptest.NewServer(serve)
	t.Cleanup(srv.Close)
	if err := b.nodes.Update(t.Context(), name, node.Settings{Kind: kind, ControlURL: srv.URL}); err != nil {
		t.Fatal(err)
	}
}

func stat(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

func realListers(b *bench) {
	client := &http.Client{Timeout: time.Minute}
	b.Controls = media.Controls{node.KindNginxRTMP: {Lister: nginxrtmp.Client{HTTP: client}}, node.KindSRS: {Lister: srs.Client{HTTP: client}}}
}

func TestAGhostIsEndedWhenItsNodeNoLongerListsIt(t *testing.T) {
	t.Parallel()
	for name, ghost := range map[string]client{
		"another client publishes the stream": onNginx(stream("room1")).number(288),
		"nobody publishes the stream":         onNginx(stream("room2")).number(1),
		"in another application":              onNginx(media.Stream{Vhost: media.DefaultVhost, App: "other", Name: "room1"}).number(1),
		"and its letters are not ASCII":       onNginx(stream("räum")).number(77),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, realListers)
			b.pages(t, nginxNode, node.KindNginxRTMP, stat(capturedStat(t)))
			now := onNginx(ghost.stream).at(localNode)
			b.allow(t, ghost.publish())
			b.clock.advance(holderGrace)
			b.allow(t, now.publish())
			b.wantOpen(t, now)
			if s := b.sessions(t)[0]; s.EndReason != "gone_from_node" {
				t.Errorf("ghost ended by %q", s.EndReason)
			}
		})
	}
}

func TestAPublisherStaysWhenItsNodeStillListsItOrDoesNotAnswer(t *testing.T) {
	t.Parallel()
	listed := onNginx(stream("room1")).number(1)
	unlisted := onNginx(stream("room2")).number(2)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, test := range map[string]struct {
		holder client
		serve  http.HandlerFunc
		age    time.Duration
	}{
		"it is listed":                      {listed, stat(capturedStat(t)), time.Hour},
		"it is listed under blanks":         {listed.streaming(stream("räum")), stat(strings.ReplaceAll(capturedStat(t), "room1", "r  um")), time.Hour},
		"it has only just begun":            {unlisted, stat(capturedStat(t)), holderGrace - time.Second},
		"the page fails":                    {unlisted, status(http.StatusInternalServerError), time.Hour},
		"the page is gone":                  {unlisted, status(http.StatusNotFound), time.Hour},
		"the page is cut off":               {unlisted, stat(capturedStat(t)[:700]), time.Hour},
		"the page is something else":        {unlisted, stat("<html><body>welcome</body></html>"), time.Hour},
		"the page is empty":                 {unlisted, stat(""), time.Hour},
		"the connection is closed at once":  {unlisted, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, time.Hour},
		"the page redirects to another one": {unlisted, http.RedirectHandler("/login", http.StatusFound).ServeHTTP, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, realListers)
			b.pages(t, nginxNode, node.KindNginxRTMP, test.serve)
			r := b.room(t, room.ModePlain)
			b.allow(t, test.holder.publish(), onNginx(stream(r.ID)).publish())
			before := len(b.open(t))
			b.clock.advance(test.age)
			b.refuse(t, onNginx(test.holder.stream).publish(), media.AlreadyPublishing)
			if open := b.open(t); len(open) != before {
				t.Errorf("open: %+v", open)
			}
		})
	}
}

// A node that hangs must not cost more than the bound on asking.
func TestANodeThatHangsIsNotWaitedForLongerThanTheEventMayTake(t *testing.T) {
	t.Parallel()
	var asked atomic.Bool
	b := setup(t, withTimeout(2*time.Second), withLister(node.KindNginxRTMP, lister(func(ctx context.Context, _ media.Node) ([]media.LiveStream, error) {
		asked.Store(true)
		<-ctx.Done()
		return nil, ctx.Err()
	})))
	b.insist(t, onNginx(stream("s")).publish())
	b.clock.advance(time.Hour)
	second := onNginx(stream("s")).publish()
	eventually(t, "it is refused", func() bool {
		v, err := b.Handle(t.Context(), second)
		return err == nil && !v.Allow && v.Reason == media.AlreadyPublishing
	})
	if !asked.Load() {
		t.Error("the node was not asked")
	}
	if n := len(b.open(t)); n != 1 {
		t.Errorf("%d open sessions", n)
	}
}

func TestAGhostOfSRSIsEndedByWhatItsAPITells(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../media/srs/testdata/captures/api_streams.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		holder client
		want   bool
	}{
		"listed with this client":       {onSRS(stream("room1")).process("vid-7272250/zh4a6x53").called("6fq57a63"), false},
		"listed with another client":    {onSRS(stream("room1")).process("vid-7272250/zh4a6x53").called("aaaaaaaa"), true},
		"this client, earlier process":  {onSRS(stream("room1")).process("vid-7272250/older").called("6fq57a63"), true},
		"not listed":                    {onSRS(stream("room9")).process("vid-7272250/zh4a6x53"), true},
		"same name on another vhost":    {onSRS(media.Stream{Vhost: "other.example", App: app, Name: "room1"}).process("vid-7272250/zh4a6x53").called("6fq57a63"), true},
		"identity not known to the API": {onSRS(stream("room1")).process("").called("6fq57a63"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, realListers)
			b.pages(t, srsNode, node.KindSRS, stat(string(text)))
			b.allow(t, test.holder.publish())
			b.clock.advance(holderGrace)
			now := onSRS(test.holder.stream).at(localNode)
			if v := b.must(t, now.publish()); v.Allow != test.want {
				t.Errorf("got %+v", v)
			}
		})
	}
}

type lister func(context.Context, media.Node) ([]media.LiveStream, error)

func (l lister) Streams(ctx context.Context, n media.Node) ([]media.LiveStream, error) {
	return l(ctx, n)
}

func TestHolderIsKeptWheneverAListDoesNotRuleItOut(t *testing.T) {
	t.Parallel()
	started := time.Unix(1000, 0)
	holder := db.OpenSession{Node: srsNode, ServerID: "vid/1", ClientID: "c1", Vhost: media.DefaultVhost, App: app, Stream: "s", StartedAt: started}
	live := func(st media.Stream, client, server string) media.LiveStream {
		return media.LiveStream{Stream: st, PublisherID: client, ServerID: server}
	}
	for name, test := range map[string]struct {
		list []media.LiveStream
		err  error
		gone bool
	}{
		"empty list":                         {nil, nil, true},
		"an error":                           {nil, errors.New("no"), false},
		"listed":                             {[]media.LiveStream{live(stream("s"), "c1", "vid/1")}, nil, false},
		"listed without ids":                 {[]media.LiveStream{live(stream("s"), "", "")}, nil, false},
		"listed with another client":         {[]media.LiveStream{live(stream("s"), "c2", "vid/1")}, nil, true},
		"listed by another process":          {[]media.LiveStream{live(stream("s"), "", "vid/2")}, nil, true},
		"listed after its name elsewhere":    {[]media.LiveStream{live(media.Stream{Vhost: "v", App: app, Name: "s"}, "c9", ""), live(stream("s"), "c1", "")}, nil, false},
		"its id publishes something else":    {[]media.LiveStream{live(stream("t"), "c1", "vid/1")}, nil, true},
		"its name in another application":    {[]media.LiveStream{live(media.Stream{Vhost: media.DefaultVhost, App: "x", Name: "s"}, "c1", "")}, nil, true},
		"its name twice, once with the id":   {[]media.LiveStream{live(stream("s"), "c2", ""), live(stream("s"), "c1", "")}, nil, false},
		"a relay of the server has its name": {[]media.LiveStream{live(stream("s"), "521", "")}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, withLister(node.KindSRS, lister(func(context.Context, media.Node) ([]media.LiveStream, error) { return test.list, test.err })))
			if gone := b.holderGone(t.Context(), holder, started.Add(time.Hour)); gone != test.gone {
				t.Errorf("gone: %v, want %v", gone, test.gone)
			}
		})
	}
}

func TestHolderOnANodeThatIsNoLongerKnownCannotBeAsked(t *testing.T) {
	t.Parallel()
	asked := lister(func(context.Context, media.Node) ([]media.LiveStream, error) {
		t.Error("asked")
		return nil, nil
	})
	b := setup(t, withLister(node.KindSRS, asked))
	b.allow(t, onSRS(stream("s")).publish())
	if err := b.nodes.Delete(t.Context(), srsNode); err != nil {
		t.Fatal(err)
	}
	b.clock.advance(time.Hour)
	b.refuse(t, onNginx(stream("s")).publish(), media.AlreadyPublishing)
}
