package nginxrtmp

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

var (
	_ media.Lister      = Client{}
	_ media.CensusTaker = Client{}
)

// statPage serves one statistics page.
func statPage(t *testing.T, body string) media.Node {
	t.Helper()
	return served(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write([]byte(body))
	})
}

func served(t *testing.T, h http.HandlerFunc) media.Node {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return media.Node{Name: "edge-1", Kind: "nginx-rtmp", ControlURL: server.URL + "/stat"}
}

func testClient() Client { return Client{HTTP: &http.Client{Timeout: 2 * time.Second}} }

// page wraps streams of the application live.
func page(streams string) string {
	return `<?xml version="1.0" encoding="utf-8" ?>` + "\r\n<rtmp><server><application><name>live</name><live>" + streams +
		"<nclients>0</nclients></live></application></server></rtmp>"
}

func TestStreamsTellsWhatThePageTells(t *testing.T) {
	t.Parallel()
	node := statPage(t, load(t, "20-stat-xml").Exchanges[0].Response.Body)
	got, err := testClient().Streams(t.Context(), node)
	want := []media.LiveStream{{
		Stream:      media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "room1"},
		Clients:     2,
		Video:       media.Video{Codec: "H264", Profile: "Baseline", Level: "3.0", Width: 640, Height: 360, FrameRate: 25},
		Audio:       media.Audio{Codec: "AAC", Profile: "LC", SampleRate: 44100, Channel: 1},
		Uptime:      4936 * time.Millisecond,
		BytesIn:     1136234,
		BytesOut:    205502,
		PublisherID: "1",
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

func TestBandwidthIsInKilobits(t *testing.T) {
	t.Parallel()
	got, err := testClient().Streams(t.Context(), statPage(t, page(
		`<stream><name>a</name><bw_in>873999</bw_in><bw_out>1742000</bw_out><publishing/></stream>`)))
	if err != nil || len(got) != 1 || got[0].RecvKbps != 873 || got[0].SendKbps != 1742 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestStreamThatOnlyHasPlayersIsNotListedButItsClientsAre(t *testing.T) {
	t.Parallel()
	node := statPage(t, page(`<stream><name>waiting</name><client><id>9</id><address>::1</address></client><nclients>1</nclients></stream>`))
	got, err := testClient().Streams(t.Context(), node)
	if err != nil || len(got) != 0 {
		t.Errorf("streams %v, %v", got, err)
	}
	census, err := testClient().Census(t.Context(), node)
	if err != nil || len(census.Clients) != 1 || census.Clients[0].ID != "9" || census.Clients[0].Scene != media.Play {
		t.Errorf("clients %v, %v", census, err)
	}
}

func TestRelayIsToldFromAClientThatClaimsToBeOne(t *testing.T) {
	t.Parallel()
	publisher := func(address string) string {
		return page(`<stream><name>a</name><publishing/><client><id>521</id><address>` + address +
			`</address><flashver>ngx-local-relay</flashver><publishing/></client></stream>`)
	}
	for address, want := range map[string]bool{"127.0.0.1:21936/origin/src": true, "127.0.0.1": false, "": false} {
		got, err := testClient().Streams(t.Context(), statPage(t, publisher(address)))
		if err != nil || len(got) != 1 || got[0].Relay != want || got[0].PublisherID != "521" {
			t.Errorf("%s: %+v, %v", address, got, err)
		}
	}
}

func TestNamesAreUnescaped(t *testing.T) {
	t.Parallel()
	got, err := testClient().Streams(t.Context(), statPage(t, page(`<stream><name>a&lt;b&gt;&amp;&quot;</name><publishing/></stream>`)))
	if err != nil || len(got) != 1 || got[0].Stream.Name != `a<b>&"` {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestListIsNeverCutShort(t *testing.T) {
	t.Parallel()
	streams := func(n int) string {
		var all strings.Builder
		for i := range n {
			fmt.Fprintf(&all, "<stream><name>s%d</name><publishing/></stream>", i)
		}
		return page(all.String())
	}
	if got, err := testClient().Streams(t.Context(), statPage(t, streams(maxStreams))); err != nil || len(got) != maxStreams {
		t.Errorf("%d streams, %v", len(got), err)
	}
	if got, err := testClient().Streams(t.Context(), statPage(t, streams(maxStreams+1))); errs.KindOf(err) != errs.BadGateway || got != nil {
		t.Errorf("%d streams, %v", len(got), err)
	}
}

func TestCredentialsAreSentWhereThereAreAny(t *testing.T) {
	t.Parallel()
	node := served(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "admin" || password != "pw" || r.URL.Path != "/stat" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(page("")))
	})
	if _, err := testClient().Streams(t.Context(), node); errs.KindOf(err) != errs.BadGateway {
		t.Errorf("without credentials: %v", err)
	}
	node.Username, node.Password = "admin", "pw"
	if got, err := testClient().Streams(t.Context(), node); err != nil || len(got) != 0 {
		t.Errorf("with credentials: %v, %v", got, err)
	}
}

func TestBadAnswersAreBadGateway(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"another page":   "<html><body>404</body></html>",
		"no XML":         "server is down",
		"nothing":        "",
		"half a page":    `<rtmp><server><application><name>live</name>`,
		"a bad number":   page(`<stream><name>a</name><time>soon</time></stream>`),
		"too much":       page(`<stream><name>` + strings.Repeat("x", maxStat) + `</name></stream>`),
		"own entities":   `<!DOCTYPE r [<!ENTITY a "aaaa">]><rtmp><server><application><name>&a;</name></application></server></rtmp>`,
		"control bytes":  page("<stream><name>\x01</name></stream>"),
		"broken letters": page("<stream><name>\xff</name></stream>"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := statPage(t, body)
			if got, err := testClient().Streams(t.Context(), node); errs.KindOf(err) != errs.BadGateway || got != nil {
				t.Errorf("streams %v, %v", got, err)
			}
			if got, err := testClient().Census(t.Context(), node); errs.As(err).Message != "media server unavailable" || got.Clients != nil || got.Publishers {
				t.Errorf("clients %v, %v", got, err)
			}
		})
	}
}

func TestNodeThatCannotBeAskedIsBadGateway(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, url := range []string{"", "://", "ftp://127.0.0.1", gone.URL} {
		if got, err := testClient().Streams(t.Context(), media.Node{ControlURL: url}); errs.KindOf(err) != errs.BadGateway || got != nil {
			t.Errorf("%q: %v, %v", url, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := testClient().Streams(ctx, statPage(t, page(""))); errs.KindOf(err) != errs.BadGateway {
		t.Errorf("cancelled: %v", err)
	}
}

func TestCensusTellsWhatThePageTells(t *testing.T) {
	t.Parallel()
	got, err := testClient().Census(t.Context(), statPage(t, load(t, "20-stat-xml").Exchanges[0].Response.Body))
	st := media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "room1"}
	want := media.Census{Publishers: true, Players: true, Process: "25112", Age: 27 * time.Second, Clients: []media.LiveClient{
		{Client: media.Client{ID: "5", Stream: st, Address: "127.0.0.1", Protocol: "rtmp"}, Scene: media.Play, Serial: 5, Uptime: 1902 * time.Millisecond},
		{Client: media.Client{ID: "1", Stream: st, Address: "127.0.0.1", Protocol: "rtmp"}, Scene: media.Publish, Serial: 1, Uptime: 5118 * time.Millisecond, BytesIn: 1136234},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

func TestCensusDoesNotBelieveEveryWord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client string
		check  func(media.LiveClient) bool
	}{
		"the module's own pull":           {`<id>3</id><address>192.0.2.1:1935/live/x?token=t</address><flashver>ngx-local-relay</flashver>`, func(c media.LiveClient) bool { return c.Relay && c.Address == "192.0.2.1:1935/live/x" }},
		"another worker":                  {`<id>3</id><address>unix:</address><flashver>LNX</flashver>`, func(c media.LiveClient) bool { return c.Relay }},
		"who only calls itself a relay":   {`<id>3</id><address>192.0.2.9</address><flashver>ngx-local-relay</flashver>`, func(c media.LiveClient) bool { return !c.Relay }},
		"a number that is none":           {`<id>x</id>`, func(c media.LiveClient) bool { return c.ID == "x" && c.Serial == 0 }},
		"a connection older than the net": {`<id>3</id><time>9223372036854775807</time>`, func(c media.LiveClient) bool { return c.Uptime > 0 && c.Uptime <= maxUptime*time.Second }},
		"a connection of the future":      {`<id>3</id><time>-5</time>`, func(c media.LiveClient) bool { return c.Uptime == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := testClient().Census(t.Context(), statPage(t, page(`<stream><name>a</name><client>`+c.client+`</client></stream>`)))
			if err != nil || len(got.Clients) != 1 || !c.check(got.Clients[0]) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestCensusDoesNotTellANameThatThePageCannotShow(t *testing.T) {
	t.Parallel()
	got, err := testClient().Census(t.Context(), statPage(t, page(`<stream><name>caf  </name><client><id>3</id><publishing/></client></stream>`)))
	if err != nil || len(got.Clients) != 1 || got.Clients[0].Stream.Name != "" || got.Clients[0].Stream.App != "live" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestMoreClientsThanANodeCanHaveAreNoList(t *testing.T) {
	t.Parallel()
	node := statPage(t, page("<stream><name>a</name>"+strings.Repeat("<client><id>1</id></client>", maxClients+1)+"</stream>"))
	if got, err := testClient().Census(t.Context(), node); errs.KindOf(err) != errs.BadGateway || got.Clients != nil {
		t.Errorf("%d clients, %v", len(got.Clients), err)
	}
}
