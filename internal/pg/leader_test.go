package pg_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// candidate is one process that may lead, with the wires of its connections.
type candidate struct {
	*pg.Leader
	muted, refused atomic.Bool
	stop           context.CancelFunc

	mu    sync.Mutex
	wires []net.Conn
}

// stand has a process lead that lets its connection take all the time of a busy
// machine to answer.
func stand(t *testing.T, url string) *candidate {
	t.Helper()
	return standFor(t, url, patience)
}

func standFor(t *testing.T, url string, answers time.Duration) *candidate {
	t.Helper()
	config, err := pg.Direct(url)
	if err != nil {
		t.Fatal(err)
	}
	c := &candidate{}
	config.DialFunc, config.ConnectTimeout = c.dial, time.Second
	c.Leader = pg.NewLeader(config, dbtest.Log(t))
	c.SetPatience(answers)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	c.stop = func() { cancel(); receive(t, ended) }
	t.Cleanup(c.stop)
	return c
}

func (c *candidate) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.refused.Load() {
		return nil, net.ErrClosed
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wires = append(c.wires, conn)
	return muteConn{conn, &c.muted}, nil
}

// die ends the connections as the end of the process does.
func (c *candidate) die() {
	c.refused.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.wires {
		_ = w.Close()
	}
}

func (c *candidate) wantLead(t *testing.T, name string) {
	t.Helper()
	ticker, over := time.NewTicker(5*time.Millisecond), time.After(patience)
	defer ticker.Stop()
	for !c.Hold(t.Context(), name) {
		select {
		case <-ticker.C:
		case <-over:
			t.Fatalf("never led in %s", name)
		}
	}
}

func TestOneOfSeveralProcessesLeadsInEachName(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	a, b := stand(t, url), stand(t, url)
	a.wantLead(t, "one")
	b.wantLead(t, "two")
	for range 3 {
		if b.Hold(t.Context(), "one") || a.Hold(t.Context(), "two") || !a.Hold(t.Context(), "one") {
			t.Fatal("two lead in the same name, or nobody")
		}
	}
}

func TestAnotherProcessTakesOverFromAKilledOne(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	a, b := stand(t, url), stand(t, url)
	a.wantLead(t, "one")
	if b.Hold(t.Context(), "one") {
		t.Fatal("two lead")
	}
	a.die()
	b.wantLead(t, "one")
	if a.Hold(t.Context(), "one") {
		t.Error("the dead one still leads")
	}
}

func TestAnotherProcessTakesOverFromAStoppedOne(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	a, b := stand(t, url), stand(t, url)
	a.wantLead(t, "one")
	a.stop()
	if a.Hold(t.Context(), "one") {
		t.Error("a stopped one leads")
	}
	b.wantLead(t, "one")
}

func TestALeaderDoesNotBelieveInASilentConnection(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	a, b := standFor(t, url, 2*time.Second), stand(t, url)
	a.wantLead(t, "one")
	a.muted.Store(true)
	if a.Hold(t.Context(), "one") {
		t.Error("leads without hearing from the database")
	}
	b.wantLead(t, "one")
	a.muted.Store(false)
	a.wantLead(t, "another")
}

func TestALeaderComesBackAfterItsConnectionWasCut(t *testing.T) {
	t.Parallel()
	a := stand(t, dbtest.URL(t))
	a.wantLead(t, "one")
	a.die()
	if a.Hold(t.Context(), "one") {
		t.Error("leads without a connection")
	}
	a.refused.Store(false)
	a.wantLead(t, "one")
}

func TestAnImpatientCallerCostsNobodyTheLead(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	a, b := stand(t, url), stand(t, url)
	a.wantLead(t, "one")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	a.Hold(ended, "one")
	a.Hold(ended, "two")
	if b.Hold(t.Context(), "one") || !a.Hold(t.Context(), "one") {
		t.Error("the lead was lost")
	}
}

func TestNobodyLeadsBeforeItRuns(t *testing.T) {
	t.Parallel()
	if pg.NewLeader(dbtest.Pool(t).Config().ConnConfig, dbtest.Log(t)).Hold(t.Context(), "one") {
		t.Error("leads without a connection")
	}
}
