package pg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// host stands before the tests' PostgreSQL. Whoever connects to one that
// swallows hears nothing, ever.
type host struct {
	net.Listener
	asked    atomic.Int64
	swallows atomic.Bool
}

func newHost(t *testing.T, config *pgx.ConnConfig, address string) *host {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	network, server := "tcp", fmt.Sprintf("%s:%d", config.Host, config.Port)
	if config.Host[0] == '/' {
		network, server = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", config.Host, config.Port)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			h.asked.Add(1)
			go h.relay(conn, network, server)
		}
	}()
	return h
}

func (h *host) relay(conn net.Conn, network, server string) {
	defer conn.Close()
	if h.swallows.Load() {
		_, _ = io.Copy(io.Discard, conn) // until it gives up
		return
	}
	to, err := net.Dial(network, server)
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		defer to.Close()
		_, _ = io.Copy(to, conn)
	}()
	_, _ = io.Copy(conn, to)
}

// several returns the URL of a database behind two hosts, and the hosts.
func several(t *testing.T, more string) (dsn string, first, second *host) {
	t.Helper()
	config, err := pg.Direct(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	first, second = newHost(t, config, "127.0.0.1:0"), newHost(t, config, "127.0.0.1:0")
	user := url.UserPassword(config.User, config.Password)
	return fmt.Sprintf("postgres://%s@%s,%s/%s?sslmode=disable&connect_timeout=1%s", user, first.Addr(), second.Addr(), config.Database, more), first, second
}

// fill opens so many connections of a pool at once and closes them again.
func fill(t *testing.T, pool *pgxpool.Pool, count int) {
	t.Helper()
	for range count {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release() // which does not keep what is closed
		defer func() { _ = conn.Conn().Close(t.Context()) }()
	}
}

func TestAHostThatSwallowsPacketsIsWaitedForOnce(t *testing.T) {
	t.Parallel()
	url, first, second := several(t, "&target_session_attrs=read-write")
	first.swallows.Store(true)
	pool, err := pg.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	before := first.asked.Load()
	fill(t, pool, 5)
	if asked := first.asked.Load(); before == 0 || asked != before {
		t.Errorf("the first host was asked %d times for the first connection, and %d times for five more", before, asked-before)
	}

	// Now the other one fails, and is left as soon.
	first.swallows.Store(false)
	second.swallows.Store(true)
	pool.Reset()
	fill(t, pool, 1)
	before = second.asked.Load()
	fill(t, pool, 5)
	if asked := second.asked.Load(); asked != before {
		t.Errorf("the second host was asked %d times more", asked-before)
	}
}

func TestAHostThatBecameReadOnlyIsLeft(t *testing.T) {
	t.Parallel()
	url, first, second := several(t, "")
	first.swallows.Store(true)
	pool, err := pg.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	first.swallows.Store(false)
	fill(t, pool, 1)
	before, others := first.asked.Load(), second.asked.Load()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	if err := insertNode(t.Context(), conn, "refused"); err == nil {
		t.Fatal("it was written")
	}
	conn.Release()
	pool.Reset()
	fill(t, pool, 1)
	if a, b := first.asked.Load()-before, second.asked.Load()-others; a != 1 || b > 1 {
		t.Errorf("then the first host was asked %d times, the second %d times", a, b)
	}
}

// Sessions past the pool remember, too, and which address of a name it was.
func TestTheAddressOfANameThatSwallowsPacketsIsWaitedForOnce(t *testing.T) {
	t.Parallel()
	config, err := pg.Direct(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	good := newHost(t, config, "127.0.0.1:0")
	port := good.Addr().(*net.TCPAddr).Port
	bad := newHost(t, config, fmt.Sprintf("127.0.0.2:%d", port))
	bad.swallows.Store(true)
	config.Host, config.Port, config.TLSConfig, config.Fallbacks, config.ConnectTimeout = "database", uint16(port), nil, nil, 4*time.Second
	known := []string{"127.0.0.2", "127.0.0.1"}
	config.LookupFunc = func(context.Context, string) ([]string, error) { return known, nil }
	var hosts pg.Hosts
	for range 3 {
		conn, err := hosts.Connect(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close(t.Context())
	}
	if bad.asked.Load() != 1 || good.asked.Load() != 3 || known[0] != "127.0.0.2" {
		t.Errorf("the bad address was asked %d times, the good one %d times", bad.asked.Load(), good.asked.Load())
	}
}

// What a host was asked that was passed over is cancelled while the next one
// connects: it is that one which is remembered.
func TestACancelIsNotTakenForAConnection(t *testing.T) {
	t.Parallel()
	url, first, second := several(t, "")
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	var passedOver *pgconn.PgConn
	config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if passedOver == nil {
			passedOver = conn
			return errors.New("not this one")
		}
		return passedOver.CancelRequest(ctx)
	}
	var hosts pg.Hosts
	for range 2 {
		conn, err := hosts.Connect(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close(t.Context())
		config.ValidateConnect = nil
	}
	if a, b := first.asked.Load(), second.asked.Load(); a != 2 || b != 2 { // the first one twice by the first connection
		t.Errorf("the first host was asked %d times, the second %d times", a, b)
	}
}
