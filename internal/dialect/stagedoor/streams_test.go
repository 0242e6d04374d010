package stagedoor

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// session puts one on record, open or ended.
func (b *bench) session(t *testing.T, id int, scene, stream, credential, subject string, ended *time.Time) {
	t.Helper()
	table, more, values := "open_sessions", "", ""
	args := []any{id, strconv.Itoa(id), scene, stream, credential, subject, b.clock.now()}
	if ended != nil {
		table, more, values = "ended_sessions", ", ended_at, end_reason, serial, bytes_in, bytes_out, refused", ", $8, 'close', 0, 5, 6, ''"
		args = append(args, *ended)
	}
	_, err := b.pool.Exec(t.Context(), `INSERT INTO `+table+` (id, identity, node, server_id, client_id, scene, vhost, app, stream, address, protocol,
		credential_kind, credential_id, subject, started_at`+more+`)
		VALUES ($1, $2::text::bytea, 'edge1', '', $2, $3, '__defaultVhost__', 'live', $4, '192.0.2.7', 'rtmp', $5, 'c', $6, $7`+values+`)`, args...)
	if err != nil {
		t.Fatal(err)
	}
}

func TestSessionsAndStreamsAreListed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ended := b.clock.now().Add(time.Minute)
	b.session(t, 1, "publish", "gone", "signature", "", &ended)
	b.session(t, 2, "publish", "show", "signature", "", nil)
	b.session(t, 3, "play", "show", "access_token", "alice", nil)
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO evictions (session_id, node, reason, state, asked_at, next_at, tries, error)
		VALUES (3, 'edge1', 'token_revoked', 'impossible', $1, $1, 2, 'no way')`, b.clock.now()); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string][]string{
		"": {"3", "2"}, "?scene=publish": {"2"}, "?subject=ALICE": {"3"}, "?credential=signature": {"2"}, "?node=edge2": {}, "?stream=show&app=live": {"3", "2"},
		"?state=ended": {"1"}, "?state=ended&scene=play": {}, "?state=ended&vhost=__defaultVhost__": {"1"}, "?state=ended&since=2031-01-01T00:00:00Z": {},
	} {
		p := decode[gen.SessionPage](t, b.send(t, ask("GET", "/api/v1/sessions"+query, b.admin)))
		if len(p.Sessions) != len(want) || p.NextCursor != "" {
			t.Fatalf("%s: %+v", query, p)
		}
		for i, s := range p.Sessions {
			if s.ID != want[i] {
				t.Errorf("%s: %+v", query, p.Sessions)
			}
		}
	}
	p := decode[gen.SessionPage](t, b.send(t, ask("GET", "/api/v1/sessions?limit=1", b.admin)))
	if e := p.Sessions[0].Eviction; e == nil || e.State != "impossible" || e.Fault != "no way" || e.Tries != 2 || p.NextCursor == "" {
		t.Errorf("got %+v", p)
	}
	p = decode[gen.SessionPage](t, b.send(t, ask("GET", "/api/v1/sessions?state=ended", b.admin)))
	if s := p.Sessions[0]; s.State != "ended" || s.EndedAt == nil || s.EndReason != "close" || s.BytesIn != 5 {
		t.Errorf("got %+v", s)
	}
	streams := decode[gen.RunningStreamPage](t, b.send(t, ask("GET", "/api/v1/live-streams?stream=SHO", b.admin)))
	if here := decode[gen.RunningStreamPage](t, b.send(t, ask("GET", "/api/v1/live-streams?node="+streams.Streams[0].Node, b.admin))); len(here.Streams) == 0 {
		t.Error("the node has no streams")
	}
	if elsewhere := decode[gen.RunningStreamPage](t, b.send(t, ask("GET", "/api/v1/live-streams?node=elsewhere", b.admin))); len(elsewhere.Streams) != 0 || elsewhere.Total != 0 {
		t.Errorf("another node has %+v", elsewhere)
	}
	if len(streams.Streams) != 1 || streams.Total != 1 || streams.Streams[0].Viewers != 1 || streams.Streams[0].SessionID != "2" || streams.Streams[0].Health != nil {
		t.Errorf("got %+v", streams)
	}
	for query, code := range map[string]string{"state=gone": "invalid_state", "scene=both": "invalid_scene", "limit=0": "invalid_limit", "cursor=x": "invalid_cursor",
		"since=yesterday": "invalid_since"} {
		b.bad(t, ask("GET", "/api/v1/sessions?"+query, b.admin)).want(t, http.StatusBadRequest, code)
	}
}

func TestAKickSaysWhatCameOfIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.session(t, 2, "publish", "show", "signature", "", nil)
	o := decode[gen.KickResult](t, b.send(t, ask("DELETE", "/api/v1/sessions/2", b.admin)))
	if o.State != gen.KickResultStateImpossible || o.Message == "" || o.Connections != 0 {
		t.Errorf("got %+v", o)
	}
	if o := decode[gen.KickResult](t, b.send(t, ask("DELETE", "/api/v1/live-streams?app=live&stream=show", b.admin))); o.State != gen.KickResultStateImpossible {
		t.Errorf("got %+v", o)
	}
	if o := decode[gen.KickResult](t, b.send(t, ask("DELETE", "/api/v1/live-streams?vhost=v.example.com&app=live&stream=show", b.admin))); o.State != gen.KickResultStateGone {
		t.Errorf("got %+v", o)
	}
	b.send(t, ask("DELETE", "/api/v1/sessions/4711", b.admin)).want(t, http.StatusNotFound, "session_not_found")
	b.bad(t, ask("DELETE", "/api/v1/sessions/x", b.admin)).want(t, http.StatusNotFound, "session_not_found")
}

func TestAStreamHasAChart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	st := media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "show"}
	for i, kbps := range []int{-1, 2471} {
		at := b.clock.now().Add(time.Duration(i-2) * time.Minute)
		if err := b.streams.NoteSamples(t.Context(), "edge1", at, []ledger.Sample{{Stream: st, Viewers: i + 1, Kbps: kbps}}); err != nil {
			t.Fatal(err)
		}
	}
	const path = "/api/v1/live-streams/samples?app=live&stream=show"
	chart := decode[gen.StreamSamples](t, b.send(t, ask("GET", path, b.admin)))
	if s := chart.Samples; len(s) != 2 || s[0].Kbps != nil || s[0].Viewers != 1 || s[1].Kbps == nil || *s[1].Kbps != 2471 || chart.StepSeconds != 16 {
		t.Errorf("got %+v", chart)
	}
	b.send(t, ask("GET", path+"&since=2030-05-17T12:00:00Z&until=2030-05-17T12:00:00Z", b.admin)).want(t, http.StatusBadRequest, "invalid_until")
	b.bad(t, ask("GET", "/api/v1/live-streams/samples?app=live", b.admin)).want(t, http.StatusBadRequest, "invalid_stream")
}
