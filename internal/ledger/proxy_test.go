package ledger

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// proxy stands between the ledger and its database and can fail as networks and
// servers do: refuse everybody, or hang and deliver later what it was given.
type proxy struct {
	network, target string
	listener        net.Listener

	mu      sync.Mutex
	conns   map[net.Conn]bool
	refuses bool
	refused int           // clients that were turned away
	flows   chan struct{} // closed while data flows
}

// proxied returns a pool whose connections all go through a proxy.
func proxied(t *testing.T, url string) (*pgxpool.Pool, *proxy) {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{conns: map[net.Conn]bool{}, flows: make(chan struct{})}
	close(p.flows)
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.network, p.target = pgconn.NetworkAddress(config.ConnConfig.Host, config.ConnConfig.Port)
	config.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", p.listener.Addr().String())
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	go p.serve()
	t.Cleanup(func() {
		_ = p.listener.Close()
		p.resume()
		pool.Close()
		p.cut()
	})
	return pool, p
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.carry(client)
	}
}

func (p *proxy) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial(p.network, p.target)
	if err != nil {
		return
	}
	// Also of a refused client: it would take one of the server's few places.
	defer server.Close()
	if !p.admit(client, server) {
		return
	}
	go p.copy(client, server)
	p.copy(server, client)
}

// copy delivers everything, also what a sender that has hung up since had said.
func (p *proxy) copy(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		<-p.flowing()
		if n > 0 {
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

func (p *proxy) admit(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
	if p.refuses {
		p.refused++
	}
	return !p.refuses
}

func (p *proxy) turnedAway() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

func (p *proxy) flowing() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flows
}

// refuse closes all connections and every new one.
func (p *proxy) refuse() {
	p.mu.Lock()
	p.refuses = true
	p.mu.Unlock()
	p.cut()
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

func (p *proxy) hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flows = make(chan struct{})
}

func (p *proxy) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = false
	select {
	case <-p.flows:
	default:
		close(p.flows)
	}
}

func behindProxy(t *testing.T, timeout time.Duration) (*bench, *proxy) {
	t.Helper()
	url := dbtest.URL(t)
	direct, err := pg.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(direct.Close)
	through, p := proxied(t, url)
	return setupOn(t, direct, withTimeout(timeout), withDB(func(pg.DB) pg.DB { return through })), p
}
