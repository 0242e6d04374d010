package httpx

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
)

// info is what a request carries through its context. The handler's side of
// the chain fills in what the access log wants to know.
type info struct {
	id        string
	trace     string // id, where it is kept
	addr      netip.Addr
	direct    bool
	principal string
	reason    string
	cause     error
	accounts  *accountLimit // nil: none
}

type infoKey struct{}

// infoContext is the context of a request that has passed the chain.
type infoContext struct {
	context.Context
	info info
}

// Value adds what the chain knows to the context of the server.
func (c *infoContext) Value(key any) any {
	if _, ours := key.(infoKey); ours {
		return &c.info
	}
	return c.Context.Value(key)
}

func from(ctx context.Context) *info {
	if i, ok := ctx.Value(infoKey{}).(*info); ok {
		return i
	}
	return &info{}
}

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string { return from(ctx).id }

// TraceID returns the id of the trace that the request of ctx is in, or "" where
// none is kept.
func TraceID(ctx context.Context) string { return from(ctx).trace }

// ClientAddr returns the client's address, as told by a trusted proxy where
// there is one.
func ClientAddr(ctx context.Context) netip.Addr { return from(ctx).addr }

// Direct says that nobody unknown stands between the client and us: no proxy
// but those whose word is trusted, and no web page that makes a browser send
// requests to its own machine.
func Direct(ctx context.Context) bool { return from(ctx).direct }

// SetPrincipal notes who is calling, for the access log.
func SetPrincipal(ctx context.Context, name string) { from(ctx).principal = name }

// SetFailure notes why a request failed, for the access log, which is the only
// place that tells the cause.
func SetFailure(ctx context.Context, reason string, cause error) {
	i := from(ctx)
	i.reason, i.cause = reason, cause
}

// client finds the address of the client: the peer, or, when the peer is a
// trusted proxy, the nearest address in X-Forwarded-For that is not one. Direct
// is false when a forwarding header comes from a peer whose word does not
// count: then somebody unknown stands behind the peer.
func (c Config) client(r *http.Request) (addr netip.Addr, direct bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	addr = plain(peer.Addr())
	forwarded, forged := r.Header.Values("X-Forwarded-For"), fromBrowser(r.Header)
	switch {
	case len(forwarded) == 0:
		return addr, !forged && !relayed(r.Header)
	case !c.trusted(addr):
		return addr, false
	}
	addr, known := c.nearest(addr, strings.Join(forwarded, ","))
	return addr, known && !forged
}

// nearest walks back from the peer to the first hop that is no trusted proxy.
// At a hop that is no address the walk ends: who wrote that is not known.
func (c Config) nearest(addr netip.Addr, hops string) (_ netip.Addr, known bool) {
	for more := true; more; {
		i := strings.LastIndexByte(hops, ',')
		hop, ok := parseHop(strings.TrimSpace(hops[i+1:]))
		if !ok {
			return addr, false
		}
		if addr = hop; !c.trusted(addr) {
			return addr, true
		}
		more, hops = i >= 0, hops[:max(i, 0)]
	}
	return addr, true
}

// parseHop reads an address; some proxies add the port.
func parseHop(text string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		return plain(a), true
	}
	ap, err := netip.ParseAddrPort(text)
	return plain(ap.Addr()), err == nil
}

// plain makes addresses comparable with prefixes, which know neither IPv4 in
// IPv6 nor zones.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// relayed recognises proxies that do not say for whom they ask.
func relayed(h http.Header) bool {
	return hasAny(h, "Forwarded", "X-Real-Ip", "Via", "X-Forwarded-Host", "X-Forwarded-Proto")
}

// fromBrowser recognises what browsers add to every request that a page sends
// to another site, and no media server does.
func fromBrowser(h http.Header) bool { return hasAny(h, "Origin", "Sec-Fetch-Site") }

// hasAny takes names in their canonical form.
func hasAny(h http.Header, names ...string) bool {
	for _, name := range names {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}

func (c Config) trusted(a netip.Addr) bool {
	for _, p := range c.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// LogHandler adds the ids of request and trace to every record that belongs to a
// request.
func LogHandler(h slog.Handler) slog.Handler { return logHandler{h} }

type logHandler struct{ slog.Handler }

func (h logHandler) Handle(ctx context.Context, rec slog.Record) error {
	i := from(ctx)
	if i.id != "" {
		rec.AddAttrs(slog.String("request_id", i.id))
	}
	if i.trace != "" {
		rec.AddAttrs(slog.String("trace_id", i.trace))
	}
	return h.Handler.Handle(ctx, rec)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
