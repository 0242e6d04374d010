package ledger

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

func paths(live []LiveStream) (out []string) {
	for _, s := range live {
		out = append(out, s.Path())
	}
	return out
}

func TestLivePagesGoThroughAllPathsInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, st := range []media.Stream{stream("b"), stream("B"), stream("a"), stream("房间"), {Vhost: "v.example.com", App: "live", Name: "x"},
		{Vhost: media.DefaultVhost, App: "zoo", Name: "ab"}, {Vhost: media.DefaultVhost, App: "live/sub", Name: "x"}} {
		b.allow(t, onSRS(st).publish())
	}
	b.allow(t, onSRS(stream("a")).play(), onNginx(stream("a")).play(), onNginx(stream("nobody")).play())
	all := []string{"/live/B", "/live/a", "/live/b", "/live/sub/x", "/live/房间", "/v.example.com/live/x", "/zoo/ab"}
	for name, c := range map[string]struct {
		f     LiveFilter
		want  []string
		total int64
	}{
		"everything":            {LiveFilter{Limit: 100}, all, 7},
		"the first":             {LiveFilter{Limit: 2}, all[:2], 7},
		"behind one":            {LiveFilter{Limit: 2, After: "/live/a"}, all[2:4], 7},
		"behind one that is no": {LiveFilter{Limit: 1, After: "/live/aaa"}, all[2:3], 7},
		"behind the last":       {LiveFilter{Limit: 1, After: "/zoo/ab"}, nil, 7},
		"by offset":             {LiveFilter{Limit: 2, Offset: 5}, all[5:], 7},
		"nothing wanted":        {LiveFilter{}, nil, 7},
		"an application":        {LiveFilter{Limit: 9, App: "zoo"}, all[6:], 1},
		"a part of one":         {LiveFilter{Limit: 9, App: "IV", Stream: "x", Fuzzy: true}, []string{"/live/sub/x", "/v.example.com/live/x"}, 2},
		"a part of a name":      {LiveFilter{Limit: 9, Stream: "B", Fuzzy: true}, []string{"/live/B", "/live/b", "/zoo/ab"}, 3},
		"a name":                {LiveFilter{Limit: 9, Stream: "B"}, all[:1], 1},
		"a vhost":               {LiveFilter{Limit: 9, Vhost: "v.example.com"}, all[5:6], 1},
		"text that is none":     {LiveFilter{Limit: 9, App: "\x00", After: "\xff\x00"}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			live, total, err := b.Live(t.Context(), c.f)
			if err != nil || total != c.total || !slices.Equal(paths(live), c.want) {
				t.Errorf("got %v of %d, %v; want %v of %d", paths(live), total, err, c.want, c.total)
			}
		})
	}
	live, _, _ := b.Live(t.Context(), LiveFilter{Limit: 2})
	if live[0].Consumers != 0 || live[1].Consumers != 2 || live[1].Clients != 3 || live[1].Publisher.Address != "192.0.2.7" || live[1].StartedAt.IsZero() {
		t.Errorf("got %+v", live)
	}
}

func TestFindTakesAnyCaseThatIsNotAmbiguous(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, st := range []media.Stream{stream("Room"), stream("x"), stream("X"), {Vhost: "V.example.com", App: "live", Name: "x"},
		{Vhost: media.DefaultVhost, App: "live/a", Name: "b"}, {Vhost: "live", App: "a", Name: "b"}} {
		b.allow(t, onSRS(st).publish())
	}
	gone := onSRS(stream("gone"))
	b.allow(t, onSRS(stream("Room")).play(), gone.publish(), gone.unpublish())
	for path, want := range map[string]string{
		"/live/Room":                  "/live/Room",
		"/LIVE/room":                  "/live/Room",
		"/live/x":                     "/live/x",
		"/live/X":                     "/live/X",
		"/LIVE/x":                     "",
		"/v.example.com/live/X":       "/V.example.com/live/x",
		"/__defaultVhost__/live/room": "/live/Room",
		"/live/a/b":                   "/live/a/b",
		"/live/gone":                  "",
		"/live/Room/":                 "",
		"live/Room":                   "",
		"/live/%":                     "",
		"":                            "",
		"/\x00\xff":                   "",
	} {
		got, err := b.Find(t.Context(), path)
		if want == "" && errs.KindOf(err) != errs.NotFound || want != "" && (err != nil || got.Path() != want) {
			t.Errorf("Find(%q) = %q, %v; want %q", path, got.Path(), err, want)
		}
	}
	if got, _ := b.Find(t.Context(), "/live/room"); got.Consumers != 1 || got.Publisher.Scene != media.Publish {
		t.Errorf("got %+v", got)
	}
}

func TestAPageAsksOnlyTheNodesOnIt(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	b := setup(t)
	tell := lister(func(_ context.Context, n media.Node) ([]media.LiveStream, error) {
		mu.Lock()
		defer mu.Unlock()
		asked[n.Name]++
		return []media.LiveStream{{Stream: stream("a"), Clients: 7, BytesIn: 4096}}, nil
	})
	b.Controls = media.Controls{node.KindSRS: {Lister: tell}, node.KindNginxRTMP: {Lister: tell}}
	b.allow(t, onSRS(stream("a")).publish(), onNginx(stream("b")).publish())
	live, total, err := b.Live(t.Context(), LiveFilter{Limit: 1})
	if err != nil || total != 2 || live[0].Clients != 7 || live[0].BytesIn != 4096 || fmt.Sprint(asked) != fmt.Sprint(map[string]int{srsNode: 1}) {
		t.Fatalf("got %+v, %v; asked %v", live, err, asked)
	}
	if _, err := b.Find(t.Context(), "/live/b"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Streams(t.Context()); err != nil { // both answers are fresh
		t.Fatal(err)
	}
	if asked[srsNode] != 1 || asked[nginxNode] != 1 {
		t.Errorf("asked %v", asked)
	}
}
