package stagedoor

import (
	"net/http"
	"strings"
	"testing"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/route"
)

func (b *bench) route(t *testing.T, pattern, url string) {
	t.Helper()
	if _, err := b.routes.Save(t.Context(), route.Route{Pattern: pattern, URL: url}); err != nil {
		t.Fatal(err)
	}
}

func TestRoutesAreShownWithTheirStatesAndWithoutSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.route(t, "/cam", "rtsp://admin:hunter2@8.8.8.8/user=admin_password=hunter2_channel=1.sdp")
	b.route(t, "/hr/", "rtsp://8.8.8.8/video")
	_, err := b.pool.Exec(t.Context(), `INSERT INTO relays (node, app, stream, pattern, state, reason, viewers, since, used_at, created_at) VALUES
		('edge1', 'hr', 'a', '/hr/', 'running', '', 2, $1, $1, $1), ('edge2', 'hr', 'b', '/hr/', 'failed', 'no_media', 0, $1, $1, $1)`, b.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	r := b.send(t, ask("GET", "/api/v1/relays", b.admin))
	if strings.Contains(string(r.Body), "hunter2") {
		t.Errorf("a password is shown: %s", r.Body)
	}
	p := decode[gen.RelayPage](t, r)
	if len(p.Relays) != 2 || p.NextCursor != "" {
		t.Fatalf("got %s", r.Body)
	}
	if c := p.Relays[0]; c.Pattern != "/cam" || c.State != "failed" || c.Reason != "no_carrier" || !strings.Contains(c.Message, "SRS and nginx-rtmp cannot") || len(c.Streams) != 0 {
		t.Errorf("got %+v", c)
	}
	if h := p.Relays[1]; h.State != "running" || h.Node != "" || h.Viewers != 2 || len(h.Streams) != 2 || h.Streams[1].Reason != "no_media" || h.Streams[0].Path != "/hr/a" {
		t.Errorf("got %+v", h)
	}
	first := decode[gen.RelayPage](t, b.send(t, ask("GET", "/api/v1/relays?limit=1", b.admin)))
	second := decode[gen.RelayPage](t, b.send(t, ask("GET", "/api/v1/relays?limit=1&cursor="+first.NextCursor, b.admin)))
	if len(first.Relays) != 1 || len(second.Relays) != 1 || second.Relays[0].Pattern != "/hr/" || second.NextCursor != "" {
		t.Errorf("pages %+v, %+v", first, second)
	}
	b.bad(t, ask("GET", "/api/v1/relays?limit=0", b.admin)).want(t, http.StatusBadRequest, "invalid_limit")
}
