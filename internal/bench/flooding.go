package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// floodAccounts are accounts beside the administrator, with the same password.
const floodAccounts = 100

// flood measures callbacks at a fixed rate with and without a flood of logins
// beside them, in pairs of rounds. Requests leave when they are due, whether or not
// earlier ones were answered. A third of the logins have the right password, a third a wrong
// one, a third a name that nobody has. Each comes over a connection of its own
// from an address of its own, since guesses are counted by address: one that
// came from a single one would be over after a few and cost nothing.
func (s *suite) flood(ctx context.Context, st *stage) ([]row, error) {
	if err := st.makeFloodAccounts(ctx); err != nil {
		return nil, err
	}
	rate, err := s.floodCapacity(ctx, st)
	if err != nil {
		return nil, err
	}
	rate /= 4
	if err := st.calm(ctx); err != nil {
		return nil, err
	}
	var met logins
	p99 := func() (float64, error) {
		h, err := st.viewers.ours.openLoop(ctx, rate, s.plan.floodRound)
		return h.quantile(0.99).Seconds() * 1000, err
	}
	a, b, err := s.pairs("callback_p99_login_flood", s.plan.floodRounds,
		func() (p float64, err error) {
			err = s.beside(ctx, floodLoad(st.server.addr, s.plan.floodClients, &met), func() error {
				p, err = p99()
				return err
			})
			return p, err
		}, p99)
	if err != nil {
		return nil, err
	}
	s.say("%-20s %.0f/s beside %.0f callbacks/s over %d connections: %s", "login flood", s.plan.floodRate, rate, s.plan.conns, &met)
	if met.admitted.Load() == 0 || met.refused.Load() == 0 {
		return nil, fmt.Errorf("no flood of logins: %s", &met)
	}
	peer := fmt.Sprintf("without %.0f logins/s, both at %.0f/s", s.plan.floodRate, rate)
	return []row{figure("callback_p99_login_flood", a, "ms").beside(b, peer).aim(ratioAtMost(2))}, st.viewers.check(ctx, st)
}

// floodCapacity is how many callbacks a second can be, from the rows before or
// measured for the purpose.
func (s *suite) floodCapacity(ctx context.Context, st *stage) (_ float64, err error) {
	if st.capacity == 0 {
		st.capacity, err = st.viewers.ours.closedLoop(ctx, s.plan.callbackRound)
	}
	return st.capacity, err
}

// calm has the database do now what the rows before have left it to do: to write
// and to clean up beside this one would take from it whatever comes next.
func (st *stage) calm(ctx context.Context) error {
	for _, work := range []string{"VACUUM (ANALYZE)", "CHECKPOINT"} {
		if _, err := st.db.Exec(ctx, work); err != nil {
			return err
		}
	}
	return nil
}

// beside runs work while a flood is under way.
func (s *suite) beside(ctx context.Context, flood load, work func() error) error {
	const rising = time.Second // until whatever can queue does
	ended := make(chan error, 1)
	go func() {
		_, err := flood.openLoop(ctx, s.plan.floodRate, s.plan.floodRound+rising)
		ended <- err
	}()
	select {
	case <-time.After(rising):
	case err := <-ended:
		return fmt.Errorf("the flood ended early: %w", err)
	}
	err := work()
	return errors.Join(err, <-ended)
}

// makeFloodAccounts copies the administrator's password to ordinary accounts.
func (st *stage) makeFloodAccounts(ctx context.Context) error {
	_, err := st.db.Exec(ctx, `INSERT INTO accounts (username, password_hash, tokens_not_before, created_at, updated_at)
		SELECT 'flood' || n, a.password_hash, now(), now(), now() FROM accounts a, generate_series(0, $1 - 1) n WHERE a.username = $2
		ON CONFLICT DO NOTHING`, floodAccounts, adminName)
	return err
}

// logins counts what became of them.
type logins struct{ asked, admitted, refused, turnedAway atomic.Int64 }

func (l *logins) String() string {
	return fmt.Sprintf("%d let in, %d refused, %d turned away unheard", l.admitted.Load(), l.refused.Load(), l.turnedAway.Load())
}

func floodLoad(addr string, clients int, l *logins) load {
	flood := newLoad(addr, clients, func() shots { return &loginShots{logins: l, addr: addr} }).withFreshConnections()
	var sources atomic.Uint32
	flood.dial = func(ctx context.Context) (net.Conn, error) {
		n := sources.Add(1)
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(1+n>>16&0x7f), byte(n>>8), byte(n))}}
		return d.DialContext(ctx, "tcp", addr)
	}
	return flood
}

// loginShots are the logins of one client of the flood.
type loginShots struct {
	logins *logins
	addr   string
	want   int // how this one deserves to be answered
}

func (l *loginShots) next() []byte {
	n := l.logins.asked.Add(1)
	name, password := fmt.Sprintf("flood%d", n/3%floodAccounts), adminPassword
	l.want = http.StatusUnauthorized
	switch n % 3 {
	case 0:
		l.want = http.StatusOK
	case 1:
		password = "guessed-by-somebody"
	default:
		name = fmt.Sprintf("nobody%d", n)
	}
	body := fmt.Sprintf(`{"username":%q,"password":%q}`, name, password)
	return fmt.Appendf(nil, "POST /login HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", l.addr, len(body), body)
}

// check counts. To be turned away, with 429, is what most of a flood deserves.
func (l *loginShots) check(status int, body []byte) error {
	switch {
	case status == http.StatusTooManyRequests:
		l.logins.turnedAway.Add(1)
	case status != l.want:
		return fmt.Errorf("a login that deserves %d got %d %.200q", l.want, status, body)
	case status == http.StatusOK:
		l.logins.admitted.Add(1)
	default:
		l.logins.refused.Add(1)
	}
	return nil
}
