package srs

import (
	"encoding/json"
	"fmt"
	"net/http"
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

var _ media.CensusTaker = Client{}

const clientsPath = "/api/v1/clients/"

func census(t *testing.T, reply http.HandlerFunc) (media.Census, error) {
	t.Helper()
	return client().Census(t.Context(), api(t, map[string]http.HandlerFunc{clientsPath: reply}))
}

func TestCensusTellsWhatSRSTells(t *testing.T) {
	t.Parallel()
	got, err := census(t, file(t, "api_clients"))
	at := func(id, protocol string) media.Client {
		return media.Client{ID: id, Stream: media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "x"}, Address: "127.0.0.1", Protocol: protocol}
	}
	want := media.Census{ServerID: "vid-7272250/zh4a6x53", Process: "vid-7272250/zh4a6x53 7137", Publishers: true, Players: true, Clients: []media.LiveClient{
		{Client: at("4039813p", "hls"), Scene: media.Play, Uptime: 2090 * time.Millisecond},
		{Client: at("g333i183", "rtmp"), Scene: media.Play, Uptime: 1770 * time.Millisecond, BytesIn: 3497, BytesOut: 419611},
		{Client: at("kb3908d5", "rtmp"), Scene: media.Publish, Uptime: 8540 * time.Millisecond, BytesIn: 1901884, BytesOut: 4384},
		{Client: at("m5a141n5", "http-flv"), Scene: media.Play, Uptime: 2050 * time.Millisecond, BytesIn: 141, BytesOut: 435831},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

func TestCensusTellsProtocols(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "captures", "api_clients_srt_rtc.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lists map[string]json.RawMessage
	if err := json.Unmarshal(text, &lists); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"srt": "http-flv srt", "webrtc": "webrtc webrtc webrtc webrtc webrtc"} {
		got, err := census(t, says(string(lists[name])))
		var protocols []string
		for _, c := range got.Clients {
			protocols = append(protocols, c.Protocol)
		}
		if err != nil || strings.Join(protocols, " ") != want {
			t.Errorf("%s: %v, %v", name, protocols, err)
		}
	}
}

func TestCensusOfOldVersions(t *testing.T) {
	t.Parallel()
	const version3 = `{"code":0,"server":5471,"clients":[{"id":117,"vhost":5472,"stream":5473,"ip":"192.0.2.7","url":"demo.example/live/cam.front","type":"fmle-publish","publish":true,"alive":12.5}]}`
	const version4 = `{"code":0,"server":"vid-1","clients":[{"id":"ab12","ip":"192.0.2.7","url":"/live/x","type":"Play","publish":false,"alive":3}]}`
	got, err := census(t, says(strings.Replace(version3, `"server":5471,`, "", 1)))
	want := media.LiveClient{Client: media.Client{ID: "117", Stream: media.Stream{Vhost: "demo.example", App: "live", Name: "cam.front"}, Address: "192.0.2.7", Protocol: "rtmp"},
		Scene: media.Publish, Serial: 117, Uptime: 12500 * time.Millisecond}
	if err != nil || got.ServerID != "" || len(got.Clients) != 1 || got.Clients[0] != want {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = census(t, says(version3))
	if err != nil || len(got.Clients) != 1 {
		t.Errorf("a server that is a number: %+v, %v", got, err)
	}
	got, err = census(t, says(version4))
	if err != nil || got.ServerID != "" || got.Process != "vid-1" || got.Clients[0].Serial != 0 || got.Clients[0].ID != "ab12" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// crowd serves clients by page as SRS does. Before each answer, change may move
// them.
func crowd(t *testing.T, ids []int, change func(request int, ids []int) []int) http.HandlerFunc {
	request := 0
	return func(w http.ResponseWriter, r *http.Request) {
		ids = change(request, ids)
		request++
		start, err := strconv.Atoi(r.URL.Query().Get("start"))
		count, err2 := strconv.Atoi(r.URL.Query().Get("count"))
		if err != nil || err2 != nil {
			t.Errorf("asked for %s", r.URL)
		}
		var page []string
		for _, id := range ids[min(start, len(ids)):min(start+count, len(ids))] {
			page = append(page, fmt.Sprintf(`{"id":"c%d","url":"/live/x","alive":1}`, id))
		}
		_, _ = fmt.Fprintf(w, `{"code":0,"server":"s","service":"p","pid":"1","clients":[%s]}`, strings.Join(page, ","))
	}
}

func people(n int) []int {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = i
	}
	return ids
}

func TestCensusReadsAllPagesOnce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, pageSize - 1, pageSize, pageSize + 1, 2*pageSize - pageOverlap, 3 * pageSize} {
		got, err := census(t, crowd(t, people(n), func(_ int, ids []int) []int { return ids }))
		if err != nil || len(got.Clients) != n {
			t.Errorf("%d of %d clients, %v", len(got.Clients), n, err)
		}
	}
}

func TestCensusPassesNobodyOverWhileOthersLeave(t *testing.T) {
	t.Parallel()
	for name, leaving := range map[string]int{"a few": 3, "many": 2 * pageOverlap} {
		got, err := census(t, crowd(t, people(2*pageSize), func(request int, ids []int) []int {
			if request == 1 {
				return ids[leaving:]
			}
			return ids
		}))
		found := map[string]bool{}
		for _, c := range got.Clients {
			found[c.ID] = true
		}
		for id := leaving; id < 2*pageSize; id++ {
			if !found[fmt.Sprint("c", id)] {
				t.Errorf("%s: client %d is there and was passed over", name, id)
				break
			}
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCensusGivesUpOnAListThatDoesNotStandStill(t *testing.T) {
	t.Parallel()
	got, err := census(t, crowd(t, people(100*pageSize), func(_ int, ids []int) []int { return ids[pageSize:] }))
	if errs.KindOf(err) != errs.BadGateway || got.Clients != nil {
		t.Errorf("%d clients, %v", len(got.Clients), err)
	}
}

func TestCensusOfMoreThanANodeCanCarryIsNoList(t *testing.T) {
	t.Parallel()
	got, err := census(t, crowd(t, people(maxClients+2*pageSize), func(_ int, ids []int) []int { return ids }))
	if errs.KindOf(err) != errs.BadGateway || got.Clients != nil {
		t.Errorf("%d clients, %v", len(got.Clients), err)
	}
}

func TestWhatIsNoListOfClientsIsAnError(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `[]`, `{}`, `{"code":1}`, `{"code":0,"clients":{}}`, `{"code":0,"clients":[{"alive":"long"}]}`, `{"code":0,"clients":[7]}`,
		`{"code":0,"clients":[{"alive":1e999}]}`, `{"code":0,"clients":[`, strings.Repeat("x", maxReply+1)} {
		if got, err := census(t, says(body)); errs.KindOf(err) != errs.BadGateway || got.Clients != nil || got.Publishers {
			t.Errorf("%.40q: %+v, %v", body, got, err)
		}
	}
	if _, err := client().Census(t.Context(), media.Node{}); errs.KindOf(err) != errs.BadGateway {
		t.Errorf("without a control URL: %v", err)
	}
}

func FuzzCensusOfAnything(f *testing.F) {
	f.Add(`{"code":0,"clients":[{"id":1,"url":"/live/x","alive":-1,"publish":true}]}`)
	f.Add(`{"code":0,"clients":[{"id":{},"url":"//","alive":1e308}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		var page clientsPage
		if json.Unmarshal([]byte(body), &page) != nil {
			return
		}
		for _, c := range page.Clients {
			if live := c.live(); live.Uptime < 0 || live.Scene == "" || live.Serial < 0 {
				t.Errorf("%q became %+v", body, live)
			}
		}
	})
}
