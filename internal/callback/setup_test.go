package callback_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/callback"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/dialect/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/media/mediamtx"
	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
	"github.com/stagedoor-live/stagedoor/internal/media/nginx"
	"github.com/stagedoor-live/stagedoor/internal/media/nginxrtmp"
	"github.com/stagedoor-live/stagedoor/internal/media/nms"
	"github.com/stagedoor-live/stagedoor/internal/media/ome"
	"github.com/stagedoor-live/stagedoor/internal/media/srs"
	"github.com/stagedoor-live/stagedoor/internal/media/zlm"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

const (
	// publishForm is what nginx-rtmp posts, publishJSON what SRS does, and
	// publishNMS what Node-Media-Server does.
	publishForm = "app=live&flashver=x&swfurl=&tcurl=rtmp://127.0.0.1/live&pageurl=&addr=192.0.2.7&clientid=5&call=publish&name=room1&type=live&token=client-secret"
	publishJSON = `{"server_id":"vid-1","service_id":"p1","action":"on_publish","client_id":"c1","ip":"192.0.2.7","vhost":"__defaultVhost__",` +
		`"app":"live","tcUrl":"rtmp://127.0.0.1/live","stream":"room1","param":"?token=client-secret","stream_url":"/live/room1","stream_id":"s1"}`
	publishNMS = `{"id":"mwr2syiev5r5kqwc","ip":"192.0.2.7:47866","app":"live","name":"room1","query":{"token":"client-secret"},"protocol":"rtmp",` +
		`"createtime":1795305941948,"endtime":0,"inbytes":3477,"outbytes":0,"filePath":"","action":"postPublish"}`
)

// bench is the callbacks behind the whole chain, and a ledger that listens.
type bench struct {
	addr   string
	nodes  *node.Service
	ledger *mediatest.Ledger
	log    *logged
	spec   *spectest.Validator // checks each exchange, where there is one

	mu      sync.Mutex
	refused []string // what Refused was told
}

type option func(*httpx.Config)

// trusting makes the chain believe what a proxy on this machine says.
func trusting(c *httpx.Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} }

func setup(t *testing.T, options ...option) *bench {
	t.Helper()
	b := &bench{ledger: &mediatest.Ledger{Verdict: media.Verdict{Allow: true, Reason: media.Allowed}}, log: &logged{t: t}}
	b.nodes = node.New(node.Config{DB: dbtest.Pool(t), Box: dbtest.Box(), Now: time.Now, Rand: rand.Reader})
	if err := errors.Join(b.nodes.EnsureLocal(t.Context()), b.nodes.Reload(t.Context(), b.nodes.DB)); err != nil {
		t.Fatal(err)
	}
	b.serve(t, b.ledger, options...)
	return b
}

func (b *bench) serve(t *testing.T, ledger media.Ledger, options ...option) {
	t.Helper()
	log := slog.New(slog.NewJSONHandler(b.log, nil))
	rt := httpx.NewRouter()
	callback.Config{Nodes: b.nodes, SRS: srs.Hooks{Ledger: ledger, Log: log}, NginxRTMP: nginxrtmp.Hooks{Ledger: ledger, Log: log},
		Nginx:    nginx.Hooks{Ledger: ledger, Log: log, Now: time.Now},
		NMS:      nms.Hooks{Ledger: ledger, Log: log},
		MediaMTX: mediamtx.NewHooks(ledger, log, time.Now),
		ZLM:      zlm.Hooks{Ledger: ledger, Log: log, Now: time.Now},
		OME:      ome.Hooks{Ledger: ledger, Log: log, Now: time.Now},
		Aliyun:   aliyun.Hooks{Ledger: ledger, Log: log, Now: time.Now},
		Now:      time.Now,
		Refused: func(_ context.Context, r *http.Request) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.refused = append(b.refused, r.URL.Path)
		}}.Register(rt)
	(&liveauth.Server{}).Register(rt) // answers for the paths that do not exist
	chain := httpx.Config{Log: log, Now: time.Now, Rand: rand.Reader}
	for _, o := range options {
		o(&chain)
	}
	srv := httptest.NewServer(chain.Wrap(rt))
	t.Cleanup(srv.Close)
	b.addr = srv.Listener.Addr().String()
}

// node adds a node and returns its secret.
func (b *bench) node(t *testing.T, name string, sources ...string) string {
	t.Helper()
	st := node.Settings{Kind: node.KindSRS}
	for _, s := range sources {
		st.Sources = append(st.Sources, netip.MustParsePrefix(s))
	}
	secret, err := b.nodes.Create(t.Context(), name, st)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// call is one request, as raw as it goes over the wire.
type call struct {
	method, target string
	from           string // address of the caller, 127.0.0.1 unless told
	header         http.Header
	body           string
}

func srsCall(query string) call {
	return call{method: "POST", target: "/callback/on_publish" + query, body: publishJSON, header: http.Header{"Content-Type": {"application/json"}}}
}

func nginxCall(query string) call {
	return call{method: "POST", target: "/callback/nginx-rtmp" + query, body: publishForm,
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}
}

func nmsCall(query string) call {
	return call{method: "POST", target: "/callback/node-media-server" + query, body: publishNMS,
		header: http.Header{"Content-Type": {"text/plain;charset=UTF-8"}}}
}

func (c call) with(key, value string) call {
	c.header = c.header.Clone()
	c.header.Add(key, value)
	return c
}

func (c call) at(from string) call { c.from = from; return c }

// do sends a call over a connection of its own.
func (b *bench) do(t *testing.T, c call) (*http.Response, string) {
	t.Helper()
	local := &net.TCPAddr{IP: net.ParseIP("127.0.0.1")}
	if c.from != "" {
		local.IP = net.ParseIP(c.from)
	}
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DialContext: (&net.Dialer{LocalAddr: local}).DialContext, DisableKeepAlives: true},
	}
	if b.spec != nil {
		client.Transport = b.spec.Transport(client.Transport)
	}
	req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+b.addr+c.target, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = c.header.Clone()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// raw sends bytes and returns everything that comes back until the server
// closes, as nginx reads it.
func (b *bench) raw(t *testing.T, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("after %q: %v", all, err)
	}
	return string(all)
}

func rawRequest(version, target, contentType, body, extra string) string {
	return fmt.Sprintf("POST %s HTTP/%s\r\nHost: 127.0.0.1\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n%s", target, version, contentType, extra, len(body), body)
}

func (b *bench) told() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.refused)
}

// logged keeps the access log.
type logged struct {
	t   testing.TB
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	return l.t.Output().Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// requests returns the access log's lines, parsed.
func (l *logged) requests(t *testing.T) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for text := range strings.Lines(l.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}
