package node_test

import (
	"crypto/rand"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// setup returns a Service on a database of its own that knows the local node.
func setup(t testing.TB) (*node.Service, *pgxpool.Pool) {
	t.Helper()
	pool := dbtest.Pool(t)
	s := setupOn(pool)
	if err := errors.Join(s.EnsureLocal(t.Context()), s.Reload(t.Context(), pool)); err != nil {
		t.Fatal(err)
	}
	return s, pool
}

func setupOn(pool *pgxpool.Pool) *node.Service {
	return node.New(node.Config{DB: pool, Box: dbtest.Box(), Now: func() time.Time { return start }, Rand: rand.Reader})
}

func create(t testing.TB, s *node.Service, name string, st node.Settings) (secret string) {
	t.Helper()
	if st.Kind == "" {
		st.Kind = node.KindSRS
	}
	secret, err := s.Create(t.Context(), name, st)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// wantErr fails unless err has this kind and reason.
func wantErr(t testing.TB, err error, kind errs.Kind, reason string) {
	t.Helper()
	if e := errs.As(err); err == nil || e.Kind != kind || e.Reason != reason {
		t.Errorf("error %v, want %s %s", err, kind, reason)
	}
}

func TestCallbackIsRecognisedBySecretSourceAndDirectness(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	anywhere := create(t, s, "anywhere", node.Settings{})
	office := create(t, s, "office", node.Settings{Sources: prefixes("203.0.113.0/24", "2001:db8:1::/48", "::ffff:198.51.100.0/120", "192.0.2.77/8")})
	for name, c := range map[string]struct {
		secret, source string
		direct         bool
		want           string // "" for refused
	}{
		"secret without sources, from anywhere":    {anywhere, "198.51.100.9", true, "anywhere"},
		"secret without sources, behind a proxy":   {anywhere, "198.51.100.9", false, "anywhere"},
		"secret without sources, address unknown":  {anywhere, "", false, "anywhere"},
		"secret from one of its sources":           {office, "203.0.113.9", true, "office"},
		"secret from a source, behind a proxy":     {office, "203.0.113.9", false, "office"},
		"secret from its IPv6 source":              {office, "2001:db8:1::9", true, "office"},
		"secret from an IPv6 source with a zone":   {office, "2001:db8:1::9%eth0", true, "office"},
		"secret from a source as mapped IPv4":      {office, "::ffff:203.0.113.9", true, "office"},
		"source that was written as mapped IPv4":   {office, "198.51.100.9", true, "office"},
		"source whose prefix has bits behind it":   {office, "192.200.0.1", true, "office"},
		"secret from elsewhere":                    {office, "203.0.114.9", true, ""},
		"secret from loopback that is no source":   {office, "127.0.0.1", true, ""},
		"secret with sources, address unknown":     {office, "", true, ""},
		"wrong secret":                             {office + "x", "203.0.113.9", true, ""},
		"wrong secret from loopback":               {"wrong", "127.0.0.1", true, ""},
		"no secret, loopback":                      {"", "127.0.0.1", true, node.Local},
		"no secret, any loopback":                  {"", "127.9.9.9", true, node.Local},
		"no secret, IPv6 loopback":                 {"", "::1", true, node.Local},
		"no secret, loopback as mapped IPv4":       {"", "::ffff:127.0.0.1", true, node.Local},
		"no secret, loopback behind unknown proxy": {"", "127.0.0.1", false, ""},
		"no secret, from a source of another node": {"", "203.0.113.9", true, ""},
		"no secret, from the network":              {"", "192.168.1.5", true, ""},
		"no secret, unspecified address":           {"", "0.0.0.0", true, ""},
		"no secret, address unknown":               {"", "", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var source netip.Addr
			if c.source != "" {
				source = netip.MustParseAddr(c.source)
			}
			n, err := s.Authenticate(c.secret, source, c.direct)
			if n.Name != c.want || (err == nil) != (c.want != "") {
				t.Fatalf("node %q, error %v; want %q", n.Name, err, c.want)
			}
			if err != nil {
				wantErr(t, err, errs.Forbidden, string(media.Unauthenticated))
			}
		})
	}
}

func TestWithoutReloadNobodyIsKnown(t *testing.T) {
	t.Parallel()
	_, pool := setup(t)
	_, err := setupOn(pool).Authenticate("", netip.MustParseAddr("127.0.0.1"), true)
	wantErr(t, err, errs.Forbidden, string(media.Unauthenticated))
}

func TestLocalNodeWithASecretNeedsIt(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	loopback := netip.MustParseAddr("127.0.0.1")
	secret, err := s.RotateSecret(t.Context(), node.Local)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate("", loopback, true); err == nil {
		t.Error("loopback still needs no secret")
	}
	if n, err := s.Authenticate(secret, netip.MustParseAddr("198.51.100.9"), false); err != nil || n.Name != node.Local {
		t.Errorf("node %q, error %v", n.Name, err)
	}
}

func TestLocalNodeWithSourcesIsBoundToThem(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if err := s.Update(t.Context(), node.Local, node.Settings{Kind: node.KindAny, Sources: prefixes("127.0.0.2/32", "192.0.2.0/24")}); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]bool{"127.0.0.1": false, "127.0.0.2": true, "192.0.2.1": false} {
		if _, err := s.Authenticate("", netip.MustParseAddr(source), true); (err == nil) != want {
			t.Errorf("%s admitted: %v, want %v", source, err == nil, want)
		}
	}
}

func TestEnsureLocalLeavesAnExistingNodeAlone(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	if err := s.Update(t.Context(), node.Local, node.Settings{Kind: node.KindSRS, URLs: media.URLs{HTTPFLV: "http://h/{app}/{stream}.flv"}}); err != nil {
		t.Fatal(err)
	}
	secret, err := s.RotateSecret(t.Context(), node.Local)
	if err != nil {
		t.Fatal(err)
	}
	next := setupOn(pool) // the next start
	if err := errors.Join(next.EnsureLocal(t.Context()), next.Reload(t.Context(), pool)); err != nil {
		t.Fatal(err)
	}
	n, err := next.Authenticate(secret, netip.MustParseAddr("127.0.0.1"), true)
	if err != nil || n.Kind != node.KindSRS || n.URLs == (media.URLs{}) {
		t.Errorf("node %+v, error %v", n, err)
	}
}

func TestRecordURLCarriesOnlyAnEscapedFileName(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	create(t, s, "srs", node.Settings{RecordURL: "https://vod.example/rec/{file}?f={file}"})
	create(t, s, "silent", node.Settings{})
	for file, want := range map[string]string{
		"x.flv":                            "x.flv",
		"/var/rec/live/x.1700000000.flv":   "x.1700000000.flv",
		"./objs/live/x.flv":                "x.flv",
		`C:\rec\x.flv`:                     "x.flv",
		"../../etc/passwd":                 "passwd",
		"/rec/x.flv/":                      "x.flv",
		"a b.flv":                          "a%20b.flv",
		"a+b.flv":                          "a%2Bb.flv",
		"x.flv?token=1#frag":               "x.flv%3Ftoken%3D1%23frag",
		"x&admin=1.flv":                    "x%26admin%3D1.flv",
		"..%2f..%2fx.flv":                  "..%252f..%252fx.flv",
		"房间.flv":                           "%E6%88%BF%E9%97%B4.flv",
		"\xff\x00\r\n.flv":                 "%FF%00%0D%0A.flv",
		`"><script>.flv`:                   "%22%3E%3Cscript%3E.flv",
		"{file}":                           "%7Bfile%7D",
		"javascript:alert(1)":              "javascript%3Aalert%281%29",
		"@evil.example":                    "%40evil.example",
		"...":                              "...",
		"http://evil.example/x.flv":        "x.flv",
		"//evil.example":                   "evil.example",
		"":                                 "",
		"/":                                "",
		".":                                "",
		"..":                               "",
		"/rec/..":                          "",
		`\..\`:                             "",
		"/rec/live/.hidden-but-harmless":   ".hidden-but-harmless",
		"https://vod.example/{file}/x.flv": "x.flv",
	} {
		if want != "" {
			want = "https://vod.example/rec/" + want + "?f=" + want
		}
		if got := s.RecordURL("srs", file); got != want {
			t.Errorf("RecordURL(%q) = %q, want %q", file, got, want)
		}
	}
	if got := s.RecordURL("silent", "x.flv"); got != "" {
		t.Errorf("a node that serves no files gives %q", got)
	}
	if got := s.RecordURL("unknown", "x.flv"); got != "" {
		t.Errorf("an unknown node gives %q", got)
	}
}

func TestKnownNodesAreListedByName(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	for _, name := range []string{"m", "z", "a"} {
		create(t, s, name, node.Settings{})
	}
	var names []string
	for _, n := range s.Known() {
		names = append(names, n.Name)
	}
	if want := []string{"a", node.Local, "m", "z"}; !slices.Equal(names, want) {
		t.Errorf("known %v, want %v", names, want)
	}
}
