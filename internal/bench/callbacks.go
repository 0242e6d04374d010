package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
)

// loaded measures the server at work.
func (s *suite) loaded(ctx context.Context) (rows []row, err error) {
	st, err := s.openStage(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close(ctx)) }()
	if st.viewers, err = newViewers(st, s.plan.conns); err != nil {
		return nil, err
	}
	for _, p := range []struct {
		name    string
		measure func(context.Context, *stage) ([]row, error)
	}{{"callbacks", s.callbacks}, {"flood", s.flood}, {"decisions", s.decisions}, {"rooms", s.rooms}, {"hotrow", s.hotRow}} {
		if !s.wants(p.name) {
			continue
		}
		more, err := p.measure(ctx, st)
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, st.server.tail())
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// viewers are players that ask us and the bare handler to be let in.
type viewers struct {
	ours, bare load
	kept       players // who asked us
}

func newViewers(st *stage, clients int) (v *viewers, err error) {
	v = &viewers{}
	if v.ours, err = playLoad(st.server.addr, clients, st.play, &v.kept); err != nil {
		return nil, err
	}
	v.bare, err = playLoad(st.bare.addr, clients, st.play, &players{})
	return v, err
}

// check compares who was let in with who is on record.
func (v *viewers) check(ctx context.Context, st *stage) error {
	n, err := st.count(ctx, "SELECT count(*) FROM sessions WHERE scene = 'play' AND started_at IS NOT NULL")
	if err == nil && n != v.kept.admitted.Load() {
		err = fmt.Errorf("%d players were let in and %d sessions kept", v.kept.admitted.Load(), n)
	}
	return err
}

// callbacks measures players that ask to be let in.
func (s *suite) callbacks(ctx context.Context, st *stage) ([]row, error) {
	v := st.viewers
	keepAlive, err := s.throughput(ctx, "callback_keepalive", v.ours, v.bare, 0.60)
	if err != nil {
		return nil, err
	}
	fresh, err := s.throughput(ctx, "callback_newconn", v.ours.withFreshConnections(), v.bare.withFreshConnections(), 0.70)
	if err != nil {
		return nil, err
	}
	st.capacity = keepAlive.Figure
	p99, err := s.latency(ctx, v.ours, v.bare, st.capacity/2)
	if err != nil {
		return nil, err
	}
	if err := s.profileCallbacks(ctx, st, v.ours); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return []row{keepAlive, fresh, p99}, v.check(ctx, st)
}

func (s *suite) throughput(ctx context.Context, name string, ours, bare load, atLeast float64) (row, error) {
	d := s.plan.callbackRound
	a, b, err := s.alternate(name, s.plan.callbackRounds,
		func() (float64, error) { return ours.closedLoop(ctx, d) },
		func() (float64, error) { return bare.closedLoop(ctx, d) })
	if err != nil {
		return row{}, err
	}
	return figure(name, a, "1/s").beside(b, "bare handler").aim(ratioAtLeast(atLeast)), nil
}

// latency measures both at the same rate, half of what ours can do.
func (s *suite) latency(ctx context.Context, ours, bare load, rate float64) (row, error) {
	p99 := func(l load) func() (float64, error) {
		return func() (float64, error) {
			h, err := l.openLoop(ctx, rate, s.plan.latencyRound)
			return h.quantile(0.99).Seconds() * 1000, err
		}
	}
	a, b, err := s.alternate("callback_p99", s.plan.latencyRounds, p99(ours), p99(bare))
	if err != nil {
		return row{}, err
	}
	return figure("callback_p99", a, "ms").beside(b, fmt.Sprintf("bare handler, both at %.0f/s", rate)), nil
}

// players counts those who asked one server, and those whom it let in.
type players struct{ asked, admitted atomic.Int64 }

// playLoad is SRS asking for one player after the other, each with a client id
// of its own, all with the same signed URL.
func playLoad(addr string, clients int, play *url.URL, p *players) (load, error) {
	request, err := playRequest(addr, play)
	if err != nil {
		return load{}, err
	}
	at := bytes.Index(request, []byte(clientIDRoom))
	return newLoad(addr, clients, func() shots { return &playShots{players: p, request: bytes.Clone(request), id: at} }), nil
}

// clientIDRoom is where the client id goes. SRS's ids have this length.
const clientIDRoom = "????????"

// playRequest is what SRS 7 sends, byte for byte, when a client plays a URL.
func playRequest(addr string, play *url.URL) ([]byte, error) {
	app, name := path.Split(strings.TrimPrefix(play.Path, "/"))
	app = strings.TrimSuffix(app, "/")
	body, err := json.Marshal(playPayload{
		ServerID: "vid-7272250", ServiceID: "zh4a6x53", Action: "on_play", ClientID: clientIDRoom, IP: "192.0.2.17",
		Vhost: "__defaultVhost__", App: app, Stream: name, TCURL: "rtmp://" + play.Host + "/" + app, Param: "?" + play.RawQuery,
		StreamURL: play.Path, StreamID: "vid-y7n5t8y",
	})
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "POST /callback/on_play HTTP/1.1\r\nHost: %s\r\nConnection: Keep-Alive\r\nContent-Length: %d\r\n"+
		"Content-Type: application/json\r\nUser-Agent: SRS/7.0.18(Hang)\r\n\r\n%s", addr, len(body), body), nil
}

// playShots are the players of one connection.
type playShots struct {
	players *players
	request []byte
	id      int // where the client id is
}

// next writes another client id into the request.
func (p *playShots) next() []byte {
	room := p.request[p.id : p.id+len(clientIDRoom)]
	for i, n := len(room)-1, p.players.asked.Add(1); i >= 0; i, n = i-1, n/36 {
		room[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[n%36]
	}
	return p.request
}

func (p *playShots) check(status int, body []byte) error {
	if status != http.StatusOK || string(body) != "0" {
		return fmt.Errorf("the player was not let in: %d %.200q", status, body)
	}
	p.players.admitted.Add(1)
	return nil
}
