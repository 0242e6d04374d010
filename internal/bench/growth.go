package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// grown is a world with its figures.
type grown struct {
	*world
	alone, answer, list, walk, callbacks, creates, visible float64
}

// growth measures the same figures in one world after the other, each ten times
// as large as the one before, and with as many sessions on record as it has
// rooms.
func (s *suite) growth(ctx context.Context) (all []grown, err error) {
	var worlds []*world
	defer func() {
		for _, w := range worlds {
			err = errors.Join(err, w.close(ctx))
		}
	}()
	for _, n := range s.plan.growing {
		w, err := s.makeWorld(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("a world of %d: %w", n, err)
		}
		worlds = append(worlds, w)
		if err := w.invite(ctx, s.plan.conns); err != nil {
			return nil, err
		}
	}
	return s.grownTo(ctx, worlds)
}

func (s *suite) grownTo(ctx context.Context, worlds []*world) ([]grown, error) {
	alone, err := s.decidingAlone(ctx, worlds...)
	if err != nil {
		return nil, err
	}
	each := func(name string, rounds int, side func(*world) func() (float64, error)) (v []float64) {
		var sides []func() (float64, error)
		for _, w := range worlds {
			sides = append(sides, side(w))
		}
		if err == nil {
			v, err = s.inTurn(name, rounds, sides...)
		}
		return v
	}
	answers := each("decision_flat", s.plan.flatRounds, func(w *world) func() (float64, error) { return s.answers(ctx, w) })
	lists := each("list_page", s.plan.listRounds, func(w *world) func() (float64, error) { return s.firstPage(ctx, w) })
	walks := each("list_walk", 1, func(w *world) func() (float64, error) { return s.walking(ctx, w) })
	callbacks := each("callback_keepalive", s.plan.callbackRounds, func(w *world) func() (float64, error) {
		return func() (float64, error) { return w.viewers.ours.closedLoop(ctx, s.plan.callbackRound) }
	})
	// These come last, as pages are known by the rooms that were there before.
	creates := each("room_create", s.plan.roomRounds, func(w *world) func() (float64, error) { return s.creating(ctx, w) })
	visible := each("revoke_visible", 1, func(w *world) func() (float64, error) { return s.joined(ctx, w) })
	if err != nil {
		return nil, err
	}
	var all []grown
	for i, w := range worlds {
		all = append(all, grown{w, alone[i], answers[i], lists[i], walks[i], callbacks[i], creates[i], visible[i]})
	}
	return all, nil
}

// walking returns the milliseconds that each of the last pages takes.
func (s *suite) walking(ctx context.Context, w *world) func() (float64, error) {
	return func() (float64, error) {
		rows, err := s.walk(ctx, w)
		if err != nil {
			return 0, err
		}
		return rows[0].Figure, nil
	}
}

// creating returns how many rooms are made in a second.
func (s *suite) creating(ctx context.Context, w *world) func() (float64, error) {
	var created atomic.Int64
	request := roomRequest(w.server.addr, w.token)
	l := newLoad(w.server.addr, s.plan.conns, func() shots { return &roomShots{request: request, created: &created} })
	return func() (float64, error) { return l.closedLoop(ctx, s.plan.roomRound) }
}

// joined returns the milliseconds in which 99 of 100 revocations are seen by
// processes that join the server of a world.
func (s *suite) joined(ctx context.Context, w *world) func() (float64, error) {
	return func() (_ float64, err error) {
		c := &crowd{dir: w.dir}
		defer func() { err = errors.Join(err, c.close()) }()
		if err := c.open(ctx, s, s.plan.processes-1); err != nil {
			return 0, err
		}
		took, err := c.revocations(ctx, s.plan.visible)
		if err != nil {
			return 0, err
		}
		return quantile(took, 0.99), nil
	}
}

// invite writes sessions, as many as there are rooms, and prepares players of
// one of them.
func (w *world) invite(ctx context.Context, clients int) error {
	if err := w.fillSessions(ctx); err != nil {
		return err
	}
	a, err := w.knowledge(ctx)
	if err != nil {
		return err
	}
	link := media.Link{Scene: media.Play, Stream: media.Stream{App: "live", Name: roomID(1)}, Base: "rtmp://live.example.com"}
	if w.play, err = url.Parse(a.SignURL(link, time.Now().Add(time.Hour))); err != nil {
		return err
	}
	w.viewers = &viewers{}
	w.viewers.ours, err = playLoad(w.server.addr, clients, w.play, &w.viewers.kept)
	return err
}

// fillSessions writes players: one in ten is there, the others have ended.
func (w *world) fillSessions(ctx context.Context) error {
	const player = `SELECT nextval('session_ids') AS id, 0 AS serial, now() - interval '1 minute' AS started_at, 0 AS bytes_in, 0 AS bytes_out,
			session_identity('local', 'vid-before', 'c' || n, 'play', '__defaultVhost__', 'live', md5('room-' || n)) AS identity, 'local' AS node,
			'vid-before' AS server_id, 'c' || n AS client_id, 'play' AS scene, '__defaultVhost__' AS vhost, 'live' AS app, md5('room-' || n) AS stream,
			'192.0.2.17' AS address, 'rtmp' AS protocol, 'signature' AS credential_kind, '1/abcdef' AS credential_id, '' AS subject, '' AS refused,
			NULL::timestamptz AS seen_at, NULL::timestamptz AS replaced_at
		FROM generate_series(1, $1::int) n`
	today := "ended_sessions_p" + time.Now().UTC().Format("20060102")
	return w.quietly(ctx, []string{"open_sessions", today}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO open_sessions "+player+" WHERE n % 10 = 0", w.n)
		if err == nil {
			_, err = tx.Exec(ctx, "INSERT INTO "+today+" SELECT p.*, now(), 'stopped' FROM ("+player+" WHERE n % 10 > 0) p", w.n)
		}
		return err
	})
}

// printGrowth is a run of its own.
func (s *suite) printGrowth(ctx context.Context, to io.Writer) (err error) {
	_, err = s.open(ctx)
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	if err != nil {
		return err
	}
	all, err := s.growth(ctx)
	if err != nil {
		return err
	}
	return writeGrowth(to, all)
}

func writeGrowth(to io.Writer, all []grown) error {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nrooms, tokens, sessions\trules\tready s\tmemory MiB\tbytes/rule\tbytes/token\tbytes/room\tdecision ns\tanswer us\tlist ms\twalk ms\tcallbacks/s\trooms/s\trevoke p99 ms\t")
	for _, g := range all {
		fmt.Fprintf(t, "%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", g.n, g.rules(), number(g.ready.Seconds()), number(g.memory), known(g.perRule),
			known(g.perTok), known(g.perRoom), number(g.alone), number(g.answer), number(g.list), number(g.walk), number(g.callbacks),
			number(g.creates), number(g.visible))
	}
	return t.Flush()
}

func known(v float64) string {
	if v == 0 {
		return "-"
	}
	return number(v)
}
