package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/stagedoor-live/stagedoor/internal/config"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/nginxrtmp"
	"github.com/stagedoor-live/stagedoor/internal/media/srs"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

// newLogger writes JSON, or text to a person at a terminal.
func newLogger(cfg *config.Settings, w io.Writer) *slog.Logger {
	f, isFile := w.(*os.File)
	opts := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.TextLog(isFile && term.IsTerminal(int(f.Fd()))) {
		return slog.New(httpx.LogHandler(slog.NewTextHandler(w, opts)))
	}
	return slog.New(httpx.LogHandler(slog.NewJSONHandler(w, opts)))
}

// serveLogger is newLogger for a server, whose lines are gathered for a moment
// where no person reads along. What is still kept is written by done.
func serveLogger(cfg *config.Settings, w io.Writer) (log *slog.Logger, done func()) {
	f, isFile := w.(*os.File)
	if cfg.TextLog(isFile && term.IsTerminal(int(f.Fd()))) {
		return newLogger(cfg, w), func() {}
	}
	lines := httpx.NewLines(w)
	return slog.New(httpx.JSONLog(lines, cfg.LogLevel)), func() { _ = lines.Close() } // nobody is left to be told
}

// greet is the short block of the first start. The password appears here and
// nowhere else.
func greet(w io.Writer, cfg *config.Settings, addr net.Addr, password string) {
	shown, typed := password+"      (shown once)", "'password="+password+"'"
	if password == "" {
		shown, typed = "the one you set", `"password=$STAGEDOOR_ADMIN_PASSWORD"`
	}
	setup := media.Setup{Base: callbackBase(cfg, addr), Node: node.Local, App: cfg.App}
	fmt.Fprintf(w, `
Stagedoor is at %[1]s
  administrator  %[2]s
  password       %[3]s

Try it:
  curl -d username=%[2]s --data-urlencode %[6]s %[1]s/auth/token

A media server on this machine works at once. nginx-rtmp, in the application:
%[4]s
SRS, in the vhost:
%[5]s
`, cfg.PublicURL, cfg.AdminUsername, shown, indent(nginxrtmp.Application(setup)), indent(srs.Vhost(setup)), typed)
}

// choosePort puts the port that the system chose, where it was left to choose,
// into the links that we hand out.
func choosePort(cfg *config.Settings, addr net.Addr) {
	base, open := strings.CutSuffix(cfg.PublicURL, ":0")
	if _, port, err := net.SplitHostPort(addr.String()); err == nil && open {
		cfg.PublicURL = base + ":" + port
	}
}

// callbackBase is where a media server on this machine reaches us.
func callbackBase(cfg *config.Settings, addr net.Addr) string {
	scheme := "http"
	if cfg.TLSCert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return cfg.PublicURL
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }

// tlsFromFiles serves a certificate that is read again when its file changes,
// so that renewing it needs no restart.
func tlsFromFiles(certFile, keyFile string) (*tls.Config, error) {
	if certFile == "" {
		return nil, nil
	}
	c := &certificate{certFile: certFile, keyFile: keyFile}
	if _, err := c.get(nil); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

type certificate struct {
	certFile, keyFile string

	mu     sync.Mutex
	loaded *tls.Certificate
	stamp  time.Time
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	st, err := os.Stat(c.certFile)
	if err == nil && c.loaded != nil && st.ModTime().Equal(c.stamp) {
		return c.loaded, nil
	}
	cert, loadErr := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	switch {
	case loadErr == nil:
		c.loaded = &cert
		if err == nil {
			c.stamp = st.ModTime()
		}
	case c.loaded == nil:
		return nil, fmt.Errorf("TLS certificate: %w", loadErr)
	}
	return c.loaded, nil
}

// withoutOps hides what has moved to the operations listener.
func withoutOps(rt *httpx.Router) httpx.Handler {
	return hideOps{rt}
}

type hideOps struct{ *httpx.Router }

func (h hideOps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/metrics", "/healthz", "/readyz":
		h.NotFound(w, r)
		return
	}
	h.Router.ServeHTTP(w, r)
}
