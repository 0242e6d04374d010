package node_test

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

var anywhere = netip.MustParseAddr("198.51.100.9")

func TestCreatedNodeIsKeptAsItWasGiven(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	secret := create(t, s, "edge-1", node.Settings{Kind: node.KindNginxRTMP, Sources: prefixes("203.0.113.0/24"), ControlURL: "http://10.0.0.5:8080/stat",
		Username: "ops", Password: "stat-password", URLs: media.URLs{HTTPFLV: "https://play.example/{app}/{stream}.flv"}, RecordURL: "https://vod.example/{file}"})
	want := node.Node{
		Node: media.Node{Name: "edge-1", Kind: node.KindNginxRTMP, ControlURL: "http://10.0.0.5:8080/stat", Username: "ops", Password: "stat-password",
			URLs: media.URLs{HTTPFLV: "https://play.example/{app}/{stream}.flv"}, RecordURL: "https://vod.example/{file}"},
		Secured: true, Sources: prefixes("203.0.113.0/24"), CreatedAt: start, UpdatedAt: start,
	}
	all, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Name != "edge-1" || all[1].Name != node.Local {
		t.Fatalf("listed %+v", all)
	}
	got := all[0]
	got.CreatedAt, got.UpdatedAt = got.CreatedAt.UTC(), got.UpdatedAt.UTC()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("listed\n%+v, want\n%+v", got, want)
	}
	if held, ok := s.Get("edge-1"); !ok || held != want.Node {
		t.Errorf("in memory: %+v", held)
	}
	if shown, err := s.Secret(t.Context(), "edge-1"); err != nil || shown != secret {
		t.Errorf("secret %q, error %v", shown, err)
	}
	var leaks int
	err = pool.QueryRow(t.Context(), `SELECT count(*) FROM nodes n
		WHERE encode(convert_to(n::text, 'UTF8'), 'escape') LIKE '%stat-password%' OR n::text LIKE '%' || $1 || '%'
			OR position($1::bytea in secret_sealed) > 0 OR position('stat-password'::bytea in control_password_sealed) > 0`, secret).Scan(&leaks)
	if err != nil || leaks != 0 {
		t.Errorf("%d rows hold a secret in clear, error %v", leaks, err)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	for name, c := range map[string]struct {
		node   string
		st     node.Settings
		reason string
	}{
		"no name":                      {"", node.Settings{Kind: node.KindSRS}, "invalid_name"},
		"upper case":                   {"Edge", node.Settings{Kind: node.KindSRS}, "invalid_name"},
		"starts with a hyphen":         {"-a", node.Settings{Kind: node.KindSRS}, "invalid_name"},
		"a slash":                      {"a/b", node.Settings{Kind: node.KindSRS}, "invalid_name"},
		"a line behind it":             {"a\n", node.Settings{Kind: node.KindSRS}, "invalid_name"},
		"64 characters":                {strings.Repeat("a", 64), node.Settings{Kind: node.KindSRS}, "invalid_name"},
		"no kind":                      {"a", node.Settings{}, "invalid_kind"},
		"unknown kind":                 {"a", node.Settings{Kind: "SRS"}, "invalid_kind"},
		"a source that is none":        {"a", node.Settings{Kind: node.KindSRS, Sources: []netip.Prefix{{}}}, "invalid_sources"},
		"control page without scheme":  {"a", node.Settings{Kind: node.KindSRS, ControlURL: "10.0.0.5:1985"}, "invalid_control_url"},
		"control page without host":    {"a", node.Settings{Kind: node.KindSRS, ControlURL: "http:///stat"}, "invalid_control_url"},
		"control page in a file":       {"a", node.Settings{Kind: node.KindSRS, ControlURL: "file:///etc/passwd"}, "invalid_control_url"},
		"recordings without file":      {"a", node.Settings{Kind: node.KindSRS, RecordURL: "https://vod.example/"}, "invalid_record_url"},
		"recordings of a script":       {"a", node.Settings{Kind: node.KindSRS, RecordURL: "javascript:{file}"}, "invalid_record_url"},
		"play URL that names no place": {"a", node.Settings{Kind: node.KindSRS, URLs: media.URLs{HTTPFLV: "https://play.example/"}}, "invalid_urls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secret, err := s.Create(t.Context(), c.node, c.st)
			wantErr(t, err, errs.Invalid, c.reason)
			if secret != "" {
				t.Error("a secret was given all the same")
			}
			if c.reason != "invalid_name" {
				wantErr(t, s.Update(t.Context(), node.Local, c.st), errs.Invalid, c.reason)
			}
		})
	}
	for _, name := range []string{"a", "0", "edge_1-b", strings.Repeat("a", 63)} {
		create(t, s, name, node.Settings{})
	}
}

func TestNamesAreTakenOnce(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	secret := create(t, s, "edge", node.Settings{})
	_, err := s.Create(t.Context(), "edge", node.Settings{Kind: node.KindSRS})
	wantErr(t, err, errs.Conflict, "node_exists")
	if _, err := s.Authenticate(secret, anywhere, true); err != nil {
		t.Errorf("the first node lost its secret: %v", err)
	}
}

func TestCallersSourcesAreNotTouched(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	given := prefixes("::ffff:198.51.100.7/120")
	create(t, s, "edge", node.Settings{Sources: given})
	if given[0] != netip.MustParsePrefix("::ffff:198.51.100.7/120") {
		t.Errorf("the caller's slice now holds %s", given[0])
	}
}

func TestUpdateReplacesSettingsAndKeepsSecrets(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	secret := create(t, s, "edge", node.Settings{ControlURL: "http://a/", Username: "ops", Password: "first"})
	if err := s.Update(t.Context(), "edge", node.Settings{Kind: node.KindNginxRTMP, ControlURL: "http://b/", Username: "ops"}); err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Get("edge"); n.Kind != node.KindNginxRTMP || n.ControlURL != "http://b/" || n.Password != "first" {
		t.Errorf("after an update without password: %+v", n)
	}
	if err := s.Update(t.Context(), "edge", node.Settings{Kind: node.KindNginxRTMP, Username: "ops", Password: "second"}); err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Get("edge"); n.Password != "second" || n.ControlURL != "" {
		t.Errorf("after an update with password: %+v", n)
	}
	if n, err := s.Authenticate(secret, anywhere, true); err != nil || n.Kind != node.KindNginxRTMP {
		t.Errorf("with the old secret: %+v, %v", n, err)
	}
	if err := s.Update(t.Context(), "edge", node.Settings{Kind: node.KindSRS, Sources: prefixes("203.0.113.0/24")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(secret, anywhere, true); err == nil {
		t.Error("new sources do not count at once")
	}
}

func TestRotationVoidsTheOldSecretAtOnce(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	old := create(t, s, "edge", node.Settings{URLs: media.URLs{HTTPFLV: "http://h/{stream}"}})
	fresh, err := s.RotateSecret(t.Context(), "edge")
	if err != nil || fresh == old || len(fresh) < 32 {
		t.Fatalf("new secret %q, error %v", fresh, err)
	}
	if _, err := s.Authenticate(old, anywhere, true); err == nil {
		t.Error("the old secret is still good")
	}
	if n, err := s.Authenticate(fresh, anywhere, true); err != nil || n.URLs.HTTPFLV != "http://h/{stream}" {
		t.Errorf("with the new secret: %+v, %v", n, err)
	}
	if shown, err := s.Secret(t.Context(), "edge"); err != nil || shown != fresh {
		t.Errorf("shown %q, error %v", shown, err)
	}
}

// An update that read the row before a rotation must not write the old secret
// back after it.
func TestUpdatesDoNotBringBackARotatedSecret(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	old := create(t, s, "edge", node.Settings{})
	others := []*node.Service{s, setupOn(pool), setupOn(pool)}
	var wg sync.WaitGroup
	var fresh string
	for range 10 {
		for _, other := range others {
			wg.Go(func() {
				if err := other.Update(t.Context(), "edge", node.Settings{Kind: node.KindSRS, ControlURL: "http://b/"}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Go(func() {
		var err error
		if fresh, err = s.RotateSecret(t.Context(), "edge"); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	if err := s.Reload(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(old, anywhere, true); err == nil {
		t.Error("the old secret is good again")
	}
	if _, err := s.Authenticate(fresh, anywhere, true); err != nil {
		t.Errorf("the new secret is refused: %v", err)
	}
	if n, _ := s.Get("edge"); n.ControlURL != "http://b/" {
		t.Errorf("the updates are lost: %+v", n)
	}
}

func TestDeletedNodeIsRefused(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	secret := create(t, s, "edge", node.Settings{})
	if err := s.Delete(t.Context(), "edge"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Authenticate(secret, anywhere, true)
	wantErr(t, err, errs.Forbidden, string(media.Unauthenticated))
	if _, ok := s.Get("edge"); ok {
		t.Error("it is still in memory")
	}
	wantErr(t, s.Delete(t.Context(), "edge"), errs.NotFound, "node_not_found")
}

func TestUnknownNodesAreNotFound(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	wantErr(t, s.Update(t.Context(), "nobody", node.Settings{Kind: node.KindSRS}), errs.NotFound, "node_not_found")
	secret, err := s.RotateSecret(t.Context(), "nobody")
	wantErr(t, err, errs.NotFound, "node_not_found")
	if secret != "" {
		t.Error("a secret was given all the same")
	}
	_, err = s.Secret(t.Context(), "nobody")
	wantErr(t, err, errs.NotFound, "node_not_found")
	if shown, err := s.Secret(t.Context(), node.Local); err != nil || shown != "" {
		t.Errorf("secret of a node without one: %q, %v", shown, err)
	}
}

func TestWithoutRandomnessNoNodeIsMade(t *testing.T) {
	t.Parallel()
	broken := errors.New("no entropy")
	s := node.New(node.Config{DB: dbtest.Pool(t), Box: dbtest.Box(), Now: time.Now, Rand: iotest.ErrReader(broken)})
	if _, err := s.Create(t.Context(), "edge", node.Settings{Kind: node.KindSRS}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if all, err := s.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("listed %v, error %v", all, err)
	}
	if _, err := s.RotateSecret(t.Context(), "edge"); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
