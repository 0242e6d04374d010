package stagedoor

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

type listsAndKicks struct{}

func (listsAndKicks) Streams(context.Context, media.Node) ([]media.LiveStream, error) {
	return nil, nil
}
func (listsAndKicks) Kick(context.Context, media.Node, media.Client) (bool, error) { return false, nil }

// someControls can list and kick on SRS, and nothing elsewhere.
var someControls = media.Controls{node.KindSRS: {Lister: listsAndKicks{}, Kicker: listsAndKicks{}}}

func configure(n media.Node, secret string) string { return "lines for " + n.Kind + " with " + secret }

func newNode(token, body string) dialecttest.Request {
	return dialecttest.JSON("/api/v1/nodes", token, body)
}

func patchNode(name, token, body string) dialecttest.Request {
	r := dialecttest.JSON("/api/v1/nodes/"+name, token, body)
	r.Method = http.MethodPatch
	return r
}

func (b *bench) createNode(t *testing.T, body string) gen.NodeSecret {
	t.Helper()
	r := b.send(t, newNode(b.admin, body)).want(t, http.StatusCreated, "")
	if r.Header.Get("Cache-Control") != "no-store" {
		t.Error("the secret may be cached")
	}
	r.Status = http.StatusOK
	return decode[gen.NodeSecret](t, r)
}

const fullNode = `{"name":"edge1","kind":"srs","sources":["10.0.0.5","10.1.0.0/16"],"control_url":"http://10.0.0.5:1985","control_username":"ops",
	"control_password":"` + controlPassword + `","urls":{"rtmp":"rtmp://h/{app}/{stream}","http-flv":"https://h/{app}/{stream}.flv","push":"rtmp://p/{app}/{stream}"},
	"record_url":"https://vod/{file}"}`

const controlPassword = "control password of the edge"

func TestANodeIsCreatedWithASecretThatIsShownOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.createNode(t, fullNode)
	if len(made.Secret) != 40 || made.Configuration != "lines for srs with "+made.Secret {
		t.Errorf("created with %q and %q", made.Secret, made.Configuration)
	}
	shown := b.send(t, ask("GET", "/api/v1/nodes/edge1", b.admin))
	n := decode[gen.Node](t, shown)
	got, _ := json.Marshal(n)
	want := `{"abilities":["list","kick"],"control_password_set":true,"control_url":"http://10.0.0.5:1985","control_username":"ops",` +
		`"created_at":"2030-05-17T12:00:00Z","health":{"clients":0,"error":"","state":"unknown","streams":0},"kind":"srs","name":"edge1",` +
		`"record_url":"https://vod/{file}","secured":true,"sources":["10.0.0.5/32","10.1.0.0/16"],"updated_at":"2030-05-17T12:00:00Z",` +
		`"urls":{"http-flv":"https://h/{app}/{stream}.flv","push":"rtmp://p/{app}/{stream}","rtmp":"rtmp://h/{app}/{stream}"}}`
	if string(got) != want {
		t.Errorf("shown\n%s\nwant\n%s", got, want)
	}
	for _, body := range []string{string(shown.Body), string(b.send(t, ask("GET", "/api/v1/nodes", b.admin)).Body)} {
		if strings.Contains(body, made.Secret) || strings.Contains(body, controlPassword) {
			t.Errorf("a secret is shown: %s", body)
		}
	}
	if authenticated, err := b.nodes.Authenticate(made.Secret, netip.MustParseAddr("10.1.2.3"), true); err != nil || authenticated.Name != "edge1" {
		t.Errorf("with its secret: %+v, %v", authenticated, err)
	}
	b.send(t, newNode(b.admin, fullNode)).want(t, http.StatusConflict, "node_exists")
}

func TestANodeShowsWhenItWasLastSeen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.createNode(t, `{"name":"edge1","kind":"srs"}`)
	if _, err := b.nodes.Authenticate(made.Secret, netip.MustParseAddr("10.1.2.3"), true); err != nil {
		t.Fatal(err)
	}
	if err := b.nodes.FlushSeen(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := decode[gen.Node](t, b.send(t, ask("GET", "/api/v1/nodes/edge1", b.admin)))
	if n.LastSeenAt == nil || !n.LastSeenAt.Equal(b.clock.now().Truncate(time.Microsecond)) {
		t.Errorf("last seen %v", n.LastSeenAt)
	}
}

func TestANodeShowsWhatItsControlPageSaid(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.createNode(t, `{"name":"edge1","kind":"srs"}`)
	_, err := b.pool.Exec(t.Context(), `INSERT INTO node_health (node, state, server_id, error, checked_at, changed_at, streams, clients)
		VALUES ('edge1', 'unreachable', 'vid-1', 'connection refused', $1, $2, 3, 14)`, b.clock.now(), b.clock.now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	h := decode[gen.Node](t, b.send(t, ask("GET", "/api/v1/nodes/edge1", b.admin))).Health
	if h.State != "unreachable" || h.Error != "connection refused" || h.Streams != 3 || h.Clients != 14 || !h.CheckedAt.Equal(b.clock.now()) ||
		!h.Since.Equal(b.clock.now().Add(-time.Hour)) {
		t.Errorf("health %+v", h)
	}
	if listed := decode[gen.NodePage](t, b.send(t, ask("GET", "/api/v1/nodes", b.admin))).Nodes; len(listed) != 1 || listed[0].Health.State != "unreachable" {
		t.Errorf("listed %+v", listed)
	}
}

func TestAPatchChangesWhatItNames(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.createNode(t, fullNode)
	b.clock.advance(time.Minute)
	n := decode[gen.Node](t, b.send(t, patchNode("edge1", b.admin, `{"urls":{"rtmp":"","hls":"https://h/{stream}.m3u8"},"record_url":"","kind":"any"}`)))
	if n.Urls.RTMP != nil || n.Urls.HLS == nil || n.Urls.HTTPFLV == nil || n.RecordURL != "" || n.Kind != "any" || !n.ControlPasswordSet || len(n.Sources) != 2 {
		t.Errorf("got %+v", n)
	}
	if !n.UpdatedAt.After(n.CreatedAt) || len(n.Abilities) != 0 {
		t.Errorf("got %+v", n)
	}
	n = decode[gen.Node](t, b.send(t, patchNode("edge1", b.admin, `{"sources":[],"control_password":"","control_url":""}`)))
	if len(n.Sources) != 0 || n.ControlPasswordSet || n.ControlURL != "" || n.ControlUsername != "ops" {
		t.Errorf("got %+v", n)
	}
}

func TestSettingsOfNodesAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.createNode(t, fullNode)
	for body, code := range map[string]string{
		`{"kind":"toaster"}`:                                                 "invalid_kind",
		`{"sources":["10.0.0.0/33"]}`:                                        "invalid_sources",
		`{"sources":["localhost"]}`:                                          "invalid_sources",
		`{"sources":["fe80::1%eth0"]}`:                                       "invalid_sources",
		`{"control_url":"file:///etc/passwd"}`:                               "invalid_control_url",
		`{"control_url":"http://user:password@h/"}`:                          "invalid_control_url",
		`{"control_username":"a:b"}`:                                         "invalid_control_username",
		`{"control_password":"a\u0000b"}`:                                    "invalid_control_password",
		`{"urls":{"hls":"https://h/"}}`:                                      "invalid_urls",
		`{"urls":{"hls":"javascript:alert('{stream}')"}}`:                    "invalid_urls",
		`{"urls":{"rtmp":"http://h/{stream}"}}`:                              "invalid_urls",
		`{"urls":{"srt":"srt://{stream}"}}`:                                  "",
		`{"urls":{"rtsp":"rtsp://u:p@h/{stream}"}}`:                          "invalid_urls",
		`{"record_url":"https://h/"}`:                                        "invalid_record_url",
		`{"record_url":"https://h/{file}` + strings.Repeat("x", 2048) + `"}`: "invalid_record_url",
		`{"urls":[]}`: "invalid_urls",
	} {
		status := http.StatusBadRequest
		if code == "" {
			status = http.StatusOK
		}
		b.bad(t, patchNode("edge1", b.admin, body)).want(t, status, code)
	}
	b.bad(t, newNode(b.admin, `{"name":"Edge","kind":"srs"}`)).want(t, http.StatusBadRequest, "invalid_name")
	b.bad(t, newNode(b.admin, `{"name":"edge2"}`)).want(t, http.StatusBadRequest, "invalid_kind")
}

func TestASecretIsRotatedAndTheLinesFollow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.createNode(t, `{"name":"edge1","kind":"srs"}`)
	fresh := decode[gen.NodeSecret](t, b.send(t, ask("POST", "/api/v1/nodes/edge1/secret", b.admin)))
	if fresh.Secret == old.Secret || fresh.Configuration != "lines for srs with "+fresh.Secret {
		t.Errorf("rotated %+v", fresh)
	}
	if _, err := b.nodes.Authenticate(old.Secret, netip.MustParseAddr("10.1.2.3"), true); err == nil {
		t.Error("the old secret is still good")
	}
	lines := decode[gen.NodeConfiguration](t, b.send(t, ask("GET", "/api/v1/nodes/edge1/configuration", b.admin)))
	if lines.Configuration != fresh.Configuration || lines.Kind != "srs" {
		t.Errorf("lines %+v", lines)
	}
}

func TestNodesAreListedPageByPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"c", "a", "b_1", "b-1", "b0"} {
		b.createNode(t, `{"name":"`+name+`","kind":"srs"}`)
	}
	var names []string
	for cursor := ""; ; {
		p := decode[gen.NodePage](t, b.send(t, ask("GET", "/api/v1/nodes?limit=2&cursor="+cursor, b.admin)))
		for _, n := range p.Nodes {
			names = append(names, n.Name)
		}
		if cursor = p.NextCursor; cursor == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "a b-1 b0 b_1 c" {
		t.Errorf("listed %s", got)
	}
	b.bad(t, ask("GET", "/api/v1/nodes?limit=101", b.admin)).want(t, http.StatusBadRequest, "invalid_limit")
	b.bad(t, ask("GET", "/api/v1/nodes?cursor=%25", b.admin)).want(t, http.StatusBadRequest, "invalid_cursor")
}

func TestADeletedNodeIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.createNode(t, `{"name":"edge1","kind":"srs"}`)
	b.send(t, ask("DELETE", "/api/v1/nodes/edge1", b.admin)).want(t, http.StatusNoContent, "")
	for _, r := range []dialecttest.Request{ask("GET", "/api/v1/nodes/edge1", b.admin), ask("DELETE", "/api/v1/nodes/edge1", b.admin),
		ask("POST", "/api/v1/nodes/edge1/secret", b.admin), ask("GET", "/api/v1/nodes/edge1/configuration", b.admin),
		patchNode("edge1", b.admin, `{"kind":"any"}`)} {
		b.send(t, r).want(t, http.StatusNotFound, "node_not_found")
	}
	b.bad(t, ask("GET", "/api/v1/nodes/a%2Fb%00", b.admin)).want(t, http.StatusNotFound, "node_not_found")
}
