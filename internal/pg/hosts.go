package pg

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// hosts remembers which of the hosts of a URL took the last connection. It is
// tried first: one that swallows packets then costs one connection its time-out,
// and not each of them. What a server has to be (target_session_attrs) is asked
// of it as of all others, so that a primary is left when it is one no more.
type hosts struct {
	mu   sync.Mutex
	last place
}

// place is one host: as it is written, and where that led, an address or a directory.
type place struct {
	host    string
	port    uint16
	address string
}

// connect makes a connection outside a pool.
func (h *hosts) connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	config = config.Copy()
	h.order(config)
	return pgx.ConnectConfig(ctx, config)
}

// order puts the host that took the last connection first in the configuration
// of one connection, and has that remember who takes it.
func (h *hosts) order(config *pgx.ConnConfig) {
	last := h.get()
	h.watch(config, last)
	all := append([]*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}}, config.Fallbacks...)
	slices.SortStableFunc(all, func(a, b *pgconn.FallbackConfig) int { return last.ranks(a) - last.ranks(b) })
	config.Host, config.Port, config.TLSConfig, config.Fallbacks = all[0].Host, all[0].Port, all[0].TLSConfig, all[1:]
}

// ranks is 0 for the host itself, which is there twice where encryption is only
// preferred, and 1 for all others.
func (p place) ranks(f *pgconn.FallbackConfig) int {
	if f.Host == p.host && f.Port == p.port {
		return 0
	}
	return 1
}

// placed is a connection to a host that knows where that is. The connection that
// cancels a query comes by the same function, while others are being made.
type placed struct {
	net.Conn
	place place
}

// watch notes where connections lead. A name may have several addresses, of which
// the one that worked is tried first, too.
func (h *hosts) watch(config *pgx.ConnConfig, last place) {
	named := map[string]string{} // by address; all are looked up before the first is dialled
	lookUp, dial, connected := config.LookupFunc, config.DialFunc, config.AfterConnect
	config.LookupFunc = func(ctx context.Context, host string) ([]string, error) {
		found, err := lookUp(ctx, host)
		found = slices.Clone(found) // it may be somebody's cache
		slices.SortStableFunc(found, func(a, b string) int { return last.differs(host, a) - last.differs(host, b) })
		for _, address := range found {
			named[address] = host
		}
		return found, err
	}
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return placed{conn, placeOf(network, address, named)}, nil
	}
	config.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		h.set(placeIn(conn.Conn()))
		if connected == nil {
			return nil
		}
		return connected(ctx, conn)
	}
}

// placeIn finds where a connection leads, within what encrypts it.
func placeIn(conn net.Conn) place {
	if encrypted, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = encrypted.NetConn()
	}
	at, _ := conn.(placed)
	return at.place
}

func (p place) differs(host, address string) int {
	if host == p.host && address == p.address {
		return 0
	}
	return 1
}

// placeOf finds out what the dialled address was written as.
func placeOf(network, address string, named map[string]string) place {
	host, text, _ := net.SplitHostPort(address) // it was put together from these
	if network == "unix" {
		host = filepath.Dir(address)
		_, text, _ = strings.Cut(filepath.Base(address), ".s.PGSQL.")
		named = map[string]string{host: host}
	}
	port, _ := strconv.ParseUint(text, 10, 16)
	return place{named[host], uint16(port), host}
}

func (h *hosts) get() place {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

func (h *hosts) set(p place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = p
}

// forget has the next connection begin with the first host again.
func (h *hosts) forget() { h.set(place{}) }
