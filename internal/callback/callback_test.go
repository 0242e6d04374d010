package callback_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

// refusal is the answer to whoever is not authenticated.
const refusal = `{"detail":"callback_unauthenticated"}`

// door is a bench with nodes: one of any address, one of two addresses, one
// that is gone.
func door(t *testing.T, options ...option) (b *bench, secrets map[string]string) {
	b = setup(t, options...)
	secrets = map[string]string{
		"anywhere": b.node(t, "anywhere"),
		"listed":   b.node(t, "listed", "127.0.0.9/32", "10.1.0.0/16", "2001:db8::/32"),
		"deleted":  b.node(t, "deleted"),
		"rotated":  b.node(t, "rotated"),
	}
	if err := b.nodes.Delete(t.Context(), "deleted"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.nodes.RotateSecret(t.Context(), "rotated"); err != nil {
		t.Fatal(err)
	}
	return b, secrets
}

func TestWhoMayCall(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		query   string // {x} is the secret of node x
		from    string
		header  string // "Name: value"
		trusted bool   // whether the caller is a proxy whose word counts
		want    string // the node, or "" for a refusal
	}{
		"loopback needs no secret":                          {want: node.Local},
		"any loopback address":                              {from: "127.0.0.200", want: node.Local},
		"an empty secret is none":                           {query: "?secret=", want: node.Local},
		"somebody behind an unknown proxy":                  {header: "X-Forwarded-For: 192.0.2.1"},
		"somebody who claims to be local":                   {header: "X-Forwarded-For: 127.0.0.1"},
		"a proxy that does not say for whom":                {header: "Via: 1.1 proxy"},
		"a proxy that says it the other way":                {header: "Forwarded: for=127.0.0.1"},
		"a web page in a browser on this machine":           {header: "Origin: https://evil.example"},
		"a proxy we trust, for somebody else":               {header: "X-Forwarded-For: 192.0.2.1", trusted: true},
		"a proxy we trust, of the wrong address":            {header: "X-Forwarded-For: 127.0.0.1", from: "127.0.0.2", trusted: true},
		"a secret":                                          {query: "?secret={anywhere}", want: "anywhere"},
		"a secret behind an unknown proxy":                  {query: "?secret={anywhere}", header: "X-Forwarded-For: 192.0.2.1", want: "anywhere"},
		"a secret among other parameters":                   {query: "?x=1&secret={anywhere}&y=2", want: "anywhere"},
		"a wrong secret does not fall back to local":        {query: "?secret=wrong"},
		"a secret with something behind it":                 {query: "?secret={anywhere}x"},
		"half a secret":                                     {query: "?secret={half}"},
		"a secret in capitals":                              {query: "?secret={upper}"},
		"a secret under another name":                       {query: "?Secret={anywhere}", from: "127.0.0.1", header: "X-Forwarded-For: 192.0.2.1"},
		"the first of two secrets counts":                   {query: "?secret=wrong&secret={anywhere}"},
		"a secret in the path's parameters":                 {query: "?a=b;secret={anywhere}", header: "X-Forwarded-For: 192.0.2.1"},
		"a secret in a header":                              {header: "Authorization: Bearer {anywhere}", from: "127.0.0.1", want: node.Local},
		"the secret of a node that was deleted":             {query: "?secret={deleted}"},
		"the old secret of a node":                          {query: "?secret={rotated}"},
		"a listed source":                                   {query: "?secret={listed}", from: "127.0.0.9", want: "listed"},
		"another source":                                    {query: "?secret={listed}"},
		"another source that claims a listed one":           {query: "?secret={listed}", header: "X-Forwarded-For: 10.1.2.3"},
		"a listed source, told by a proxy we trust":         {query: "?secret={listed}", header: "X-Forwarded-For: 10.1.2.3", trusted: true, want: "listed"},
		"a listed IPv6 source, told by a proxy we trust":    {query: "?secret={listed}", header: "X-Forwarded-For: 2001:db8::7", trusted: true, want: "listed"},
		"another source, told by a proxy we trust":          {query: "?secret={listed}", header: "X-Forwarded-For: 10.2.2.3", trusted: true},
		"a listed source in front of a hop that is not":     {query: "?secret={listed}", header: "X-Forwarded-For: 10.1.2.3, 192.0.2.1", trusted: true},
		"a hop that is no address":                          {query: "?secret={listed}", header: "X-Forwarded-For: unknown", trusted: true},
		"nobody's secret of enormous length":                {query: "?secret=" + strings.Repeat("x", 16<<10)},
		"a NUL":                                             {query: "?secret=%00"},
		"a secret that ends in a NUL":                       {query: "?secret={anywhere}%00"},
		"a query that cannot be read falls to no secret":    {query: "?secret=%zz", header: "X-Forwarded-For: 192.0.2.1"},
		"somebody with a secret and a lie about the source": {query: "?secret={anywhere}", header: "X-Forwarded-For: ", want: "anywhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var options []option
			if test.trusted {
				options = append(options, trusting)
			}
			b, secrets := door(t, options...)
			secrets["half"], secrets["upper"] = secrets["anywhere"][:10], strings.ToUpper(secrets["anywhere"])
			fill := func(text string) string {
				for name, secret := range secrets {
					text = strings.ReplaceAll(text, "{"+name+"}", secret)
				}
				return text
			}
			for _, c := range []call{srsCall(fill(test.query)), nginxCall(fill(test.query)), nmsCall(fill(test.query))} {
				c = c.at(test.from)
				if key, value, found := strings.Cut(test.header, ":"); found {
					c = c.with(key, strings.TrimSpace(fill(value)))
				}
				b.wantNode(t, c, test.want, secrets)
			}
		})
	}
}

// wantNode makes a call and checks who it was taken for, and that a refusal is
// counted and logged once and reaches nobody.
func (b *bench) wantNode(t *testing.T, c call, want string, secrets map[string]string) {
	t.Helper()
	heard, told, lines := len(b.ledger.Heard()), b.told(), len(b.log.requests(t))
	resp, body := b.do(t, c)
	log := b.log.requests(t)[lines:]
	if len(log) != 1 || log[0]["msg"] != "request" {
		t.Fatalf("%s left these lines: %v", c.target, log)
	}
	for name, secret := range secrets {
		if strings.Contains(b.log.String(), secret) {
			t.Errorf("the secret of %s is in the log", name)
		}
	}
	if strings.Contains(b.log.String(), "client-secret") {
		t.Error("the client's token is in the log")
	}
	events := b.ledger.Heard()[heard:]
	if want != "" {
		if resp.StatusCode != http.StatusOK || len(events) != 1 || events[0].Node != want || log[0]["principal"] != "node:"+want || b.told() != told {
			t.Errorf("got %d %q, %+v, %v; want node %s", resp.StatusCode, body, events, log, want)
		}
		return
	}
	if resp.StatusCode != http.StatusForbidden || body != refusal || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("X-Request-Id") == "" {
		t.Errorf("got %d %q %v, want a refusal", resp.StatusCode, body, resp.Header)
	}
	if len(events) != 0 || b.told() != told+1 || log[0]["reason"] != string(media.Unauthenticated) || log[0]["principal"] != nil {
		t.Errorf("heard %+v, counted %d, logged %v", events, b.told()-told, log)
	}
}

func TestALocalNodeWithASecretNeedsIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	secret, err := b.nodes.RotateSecret(t.Context(), node.Local)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{node.Local: secret}
	b.wantNode(t, srsCall(""), "", secrets)
	b.wantNode(t, srsCall("?secret=wrong"), "", secrets)
	b.wantNode(t, srsCall("?secret="+secret), node.Local, secrets)
}

func TestWithoutALocalNodeNobodyIsLetInWithoutASecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.nodes.Delete(t.Context(), node.Local); err != nil {
		t.Fatal(err)
	}
	b.wantNode(t, srsCall(""), "", nil)
}

func TestEveryCallbackIsBehindTheDoor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range callbackPaths {
		resp, body := b.do(t, call{method: "POST", target: path + "?secret=wrong", body: "x"})
		if resp.StatusCode != http.StatusForbidden || body != refusal {
			t.Errorf("%s: got %d %q", path, resp.StatusCode, body)
		}
	}
	if n := b.told(); n != len(callbackPaths) {
		t.Errorf("%d refusals counted, want %d", n, len(callbackPaths))
	}
}

var callbackPaths = []string{"/callback/on_connect", "/callback/on_close", "/callback/on_publish", "/callback/on_unpublish",
	"/callback/on_play", "/callback/on_stop", "/callback/on_dvr", "/callback/on_hls", "/callback/nginx-rtmp",
	"/callback/node-media-server"}

func TestPathsAndMethodsThatDoNotExistAreToldInTheEnvelopeAndNeverRedirected(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		method, target string
		status         int
		body           string
	}{
		{"POST", "/callback/on_nothing", http.StatusNotFound, `{"detail":"Not Found"}`},
		{"POST", "/callback/", http.StatusNotFound, `{"detail":"Not Found"}`},
		{"POST", "/callback/on_publish/", http.StatusNotFound, `{"detail":"Not Found"}`},
		{"POST", "/callback//on_publish", http.StatusNotFound, `{"detail":"Not Found"}`},
		{"POST", "/callback/./on_publish", http.StatusNotFound, `{"detail":"Not Found"}`},
		{"POST", "/callback/x/../on_publish", http.StatusNotFound, `{"detail":"Not Found"}`},
		{"POST", "/callback/On_Publish", http.StatusNotFound, `{"detail":"Not Found"}`},
		{"GET", "/callback/on_publish", http.StatusMethodNotAllowed, `{"detail":"Method Not Allowed"}`},
		{"PUT", "/callback/on_publish", http.StatusMethodNotAllowed, `{"detail":"Method Not Allowed"}`},
		{"GET", "/callback/nginx-rtmp?call=publish&name=room1&app=live&addr=x&clientid=1", http.StatusMethodNotAllowed, `{"detail":"Method Not Allowed"}`},
	} {
		resp, body := b.do(t, call{method: c.method, target: c.target, body: ""})
		if resp.StatusCode != c.status || strings.TrimSpace(body) != c.body || resp.Header.Get("Location") != "" {
			t.Errorf("%s %s: got %d %q %v", c.method, c.target, resp.StatusCode, body, resp.Header)
		}
		if c.status == http.StatusMethodNotAllowed && resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s %s: Allow is %q", c.method, c.target, resp.Header.Get("Allow"))
		}
	}
	if len(b.ledger.Heard()) != 0 {
		t.Errorf("heard %+v", b.ledger.Heard())
	}
}
