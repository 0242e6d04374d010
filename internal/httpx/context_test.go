package httpx_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

func TestClientIsThePeerOrTheNearestHopThatIsNoTrustedProxy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		peer    string
		headers [][2]string
		addr    string
		direct  bool
	}{
		"no proxy":                       {"192.0.2.7:5000", nil, "192.0.2.7", true},
		"no proxy, IPv6":                 {"[2001:db8::7]:5000", nil, "2001:db8::7", true},
		"IPv4 in IPv6 is IPv4":           {"[::ffff:192.0.2.7]:5000", nil, "192.0.2.7", true},
		"a zone is no part of who it is": {"[fe80::7%eth0]:5000", nil, "fe80::7", true},
		"a peer without address":         {"@", nil, "invalid IP", false},

		"one trusted proxy":                  {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "192.0.2.7"}}, "192.0.2.7", true},
		"a trusted proxy seen as mapped":     {"[::ffff:10.0.0.1]:80", [][2]string{{"X-Forwarded-For", "192.0.2.7"}}, "192.0.2.7", true},
		"a chain of trusted proxies":         {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "192.0.2.7, 10.9.9.9,10.0.0.2"}}, "192.0.2.7", true},
		"a chain over several headers":       {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-For", "10.0.0.2"}}, "192.0.2.7", true},
		"what the client wrote is left over": {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "127.0.0.1, 192.0.2.7"}}, "192.0.2.7", true},
		"only proxies":                       {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "10.0.0.3, 10.0.0.2"}}, "10.0.0.3", true},
		"IPv6 client":                        {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "2001:db8::7"}}, "2001:db8::7", true},
		"hop with a port":                    {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "192.0.2.7:4711"}}, "192.0.2.7", true},
		"IPv6 hop with a port":               {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "[2001:db8::7]:4711"}}, "2001:db8::7", true},
		"mapped hop":                         {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "::ffff:192.0.2.7"}}, "192.0.2.7", true},
		"trusted proxy as its own client":    {"10.0.0.1:80", nil, "10.0.0.1", true},

		"a stranger's word does not count":     {"192.0.2.9:80", [][2]string{{"X-Forwarded-For", "127.0.0.1"}}, "192.0.2.9", false},
		"an unknown proxy on our machine":      {"127.0.0.1:80", [][2]string{{"X-Forwarded-For", "192.0.2.7"}}, "127.0.0.1", false},
		"garbage ends the walk":                {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "192.0.2.7, unknown"}}, "10.0.0.1", false},
		"garbage behind a proxy":               {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "unknown, 10.0.0.2"}}, "10.0.0.2", false},
		"garbage beyond the client is ignored": {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "<script>, 192.0.2.7"}}, "192.0.2.7", true},
		"an empty header":                      {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", ""}}, "10.0.0.1", false},
		"an empty hop":                         {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "192.0.2.7,"}}, "10.0.0.1", false},
		"a bad port":                           {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "192.0.2.7:99999"}}, "10.0.0.1", false},

		"Forwarded is not read but noticed":     {"127.0.0.1:80", [][2]string{{"Forwarded", "for=192.0.2.7"}}, "127.0.0.1", false},
		"X-Real-Ip is not read but noticed":     {"127.0.0.1:80", [][2]string{{"X-Real-Ip", "192.0.2.7"}}, "127.0.0.1", false},
		"Via is noticed":                        {"127.0.0.1:80", [][2]string{{"Via", "1.1 proxy"}}, "127.0.0.1", false},
		"X-Forwarded-Proto is noticed":          {"127.0.0.1:80", [][2]string{{"X-Forwarded-Proto", "https"}}, "127.0.0.1", false},
		"X-Forwarded-Host is noticed":           {"127.0.0.1:80", [][2]string{{"X-Forwarded-Host", "h"}}, "127.0.0.1", false},
		"Forwarded beside a trusted proxy's":    {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "192.0.2.7"}, {"Via", "1.1 proxy"}}, "192.0.2.7", true},
		"a page in a browser of this machine":   {"127.0.0.1:80", [][2]string{{"Origin", "https://evil.example"}}, "127.0.0.1", false},
		"a sandboxed page":                      {"127.0.0.1:80", [][2]string{{"Origin", "null"}}, "127.0.0.1", false},
		"a page without origin":                 {"127.0.0.1:80", [][2]string{{"Sec-Fetch-Site", "cross-site"}}, "127.0.0.1", false},
		"a browser behind a proxy that we know": {"10.0.0.1:80", [][2]string{{"X-Forwarded-For", "127.0.0.1"}, {"Origin", "https://evil.example"}}, "127.0.0.1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.config.Proxies = prefixes("10.0.0.0/8")
			var addr string
			var direct bool
			b.rt.HandleFunc("GET /x", func(_ http.ResponseWriter, r *http.Request) {
				addr, direct = httpx.ClientAddr(r.Context()).String(), httpx.Direct(r.Context())
			})
			r := httptest.NewRequest("GET", "/x", nil)
			r.RemoteAddr = c.peer
			for _, h := range c.headers {
				r.Header.Add(h[0], h[1])
			}
			b.serve(r)
			if addr != c.addr || direct != c.direct {
				t.Errorf("client %s, direct %v; want %s, %v", addr, direct, c.addr, c.direct)
			}
		})
	}
}

// A header of a megabyte must not cost more than reading it once.
func TestLongForwardingHeaderIsReadFromItsEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.config.Proxies = prefixes("10.0.0.0/8")
	var addr string
	b.rt.HandleFunc("GET /x", func(_ http.ResponseWriter, r *http.Request) { addr = httpx.ClientAddr(r.Context()).String() })
	r := httptest.NewRequest("GET", "/x", nil)
	r.RemoteAddr = "10.0.0.1:80"
	r.Header.Set("X-Forwarded-For", strings.Repeat("1.1.1.1,", 1<<17)+"192.0.2.7")
	b.serve(r)
	if addr != "192.0.2.7" {
		t.Errorf("client %s", addr)
	}
}

func TestOutsideARequestThereIsNothingToTell(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	httpx.SetPrincipal(ctx, "alice")
	httpx.SetFailure(ctx, "reason", nil)
	if httpx.RequestID(ctx) != "" || httpx.ClientAddr(ctx).IsValid() || httpx.Direct(ctx) {
		t.Error("a context without request tells of one")
	}
}

func TestLogHandlerNamesTheRequestInEveryRecordOfIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.HandleFunc("GET /x", func(_ http.ResponseWriter, r *http.Request) {
		b.config.Log.InfoContext(r.Context(), "inside")
		b.config.Log.With("a", 1).InfoContext(r.Context(), "with")
		b.config.Log.WithGroup("g").InfoContext(r.Context(), "group", "b", 2)
		b.config.Log.Info("without context")
	})
	id := b.serve(httptest.NewRequest("GET", "/x", nil)).Header().Get("X-Request-Id")
	if len(id) != 24 {
		t.Fatalf("request id %q", id)
	}
	for _, message := range []string{"inside", "with", "request"} {
		if got := b.logged.one(t, message)["request_id"]; got != id {
			t.Errorf("%q has request id %v, want %s", message, got, id)
		}
	}
	if got := b.logged.one(t, "with")["a"]; got != 1.0 {
		t.Errorf("attribute of With is %v", got)
	}
	if g, _ := b.logged.one(t, "group")["g"].(map[string]any); g["b"] != 2.0 || g["request_id"] != id {
		t.Errorf("group holds %v", g)
	}
	if _, there := b.logged.one(t, "without context")["request_id"]; there {
		t.Error("a record of no request has a request id")
	}
}

func TestLogHandlerKeepsTheLevel(t *testing.T) {
	t.Parallel()
	h := httpx.LogHandler(slog.NewTextHandler(&lines{}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if h.Enabled(context.Background(), slog.LevelInfo) || !h.Enabled(context.Background(), slog.LevelWarn) {
		t.Error("the level of the inner handler does not count")
	}
}
