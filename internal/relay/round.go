package relay

import (
	"context"
	"net/netip"
	"strings"
	"sync"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/route"
)

// listing is what a node says that it fetches; not known while it does not
// answer.
type listing struct {
	node  media.Node
	known bool
	pulls map[key]media.PullState
}

// want is a stream that a node is to fetch.
type want struct {
	route  route.Route
	remote string
}

// Round compares what nodes fetch with what is wanted, once, and repairs both
// ways. Nodes are asked before the database is read: whatever a node has begun
// meanwhile was written down before.
func (s *Service) Round(ctx context.Context) error {
	before, err := s.read(ctx)
	if err != nil {
		return err
	}
	s.own(before)
	lists := s.ask(ctx)
	known, err := s.read(ctx)
	if err != nil {
		return err
	}
	wanted := s.wanted(lists, known)
	if err := s.writeDown(ctx, wanted, known); err != nil {
		return err
	}
	var all sync.WaitGroup
	for _, l := range lists {
		all.Go(func() { s.repair(ctx, l, wanted, known) })
	}
	all.Wait()
	return s.forget(ctx, lists, wanted, known)
}

func (s *Service) read(ctx context.Context) (map[key]db.Relay, error) {
	rows, err := s.q.RelayAll(ctx, s.DB, maxRows)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	known := make(map[key]db.Relay, len(rows))
	for _, r := range rows {
		known[key{r.Node, r.App, r.Stream}] = r
	}
	return known, nil
}

// owner is the optional need of a Puller to be told of pulls that another
// process began, since its server cannot tell whose they are.
type owner interface {
	Own(n media.Node, st media.Stream)
}

// own tells pullers what nodes were told, by whomever.
func (s *Service) own(known map[key]db.Relay) {
	nodes := map[string]media.Node{}
	for _, n := range s.Nodes.Known() {
		nodes[n.Name] = n
	}
	for k, row := range known {
		n := nodes[k.node]
		if o, ok := s.Controls[n.Kind].Puller.(owner); ok && row.Version != "" {
			o.Own(n, k.media())
		}
	}
}

// ask has every node that can fetch list what it fetches.
func (s *Service) ask(ctx context.Context) map[string]listing {
	var mu sync.Mutex
	var all sync.WaitGroup
	lists := map[string]listing{}
	for _, n := range s.Nodes.Known() {
		if !s.able(n) {
			continue
		}
		all.Go(func() {
			l := s.askOne(ctx, n)
			mu.Lock()
			defer mu.Unlock()
			lists[n.Name] = l
		})
	}
	all.Wait()
	return lists
}

func (s *Service) askOne(ctx context.Context, n media.Node) listing {
	pulls, err := s.Controls[n.Kind].Puller.Pulls(ctx, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.misses[n.Name]++
		return listing{node: n}
	}
	s.misses[n.Name] = 0
	l := listing{node: n, known: true, pulls: make(map[key]media.PullState, len(pulls))}
	for _, p := range pulls {
		l.pulls[keyOf(n.Name, p.Stream)] = p
	}
	return l
}

// wanted is everything that some node is to fetch now: what is kept alive, what
// servers that wait for viewers themselves are told ahead, and what was asked
// for or watched of late.
func (s *Service) wanted(lists map[string]listing, known map[key]db.Relay) map[key]want {
	out := map[key]want{}
	for _, r := range s.Routes.Known() {
		if strings.HasSuffix(r.Pattern, "/") {
			continue
		}
		st := streamAt(r.Pattern)
		if remote, found, ok := s.Routes.Match(r.Pattern); ok {
			s.settle(out, st, want{found, remote}, known)
		}
	}
	for k, row := range known {
		remote, r, ok := s.Routes.Match(k.path())
		_, able := lists[k.node]
		if !ok {
			continue
		}
		used := row.UsedAt
		if lists[k.node].pulls[k].Viewers > 0 {
			used = s.Now()
		}
		if able && s.Now().Sub(used) < IdleAfter {
			out[k] = want{r, remote}
		}
		if r.KeepAlive {
			s.settle(out, k.media(), want{r, remote}, known)
		}
	}
	return out
}

// settle gives a stream that is wanted without viewers to one node: one that has
// it and answers, or else the first of its carriers.
func (s *Service) settle(out map[key]want, st media.Stream, w want, known map[key]db.Relay) {
	carriers := s.carriers(st.Path())
	if len(carriers) == 0 {
		return
	}
	home := carriers[0]
	for _, n := range carriers {
		if _, has := known[keyOf(n.Name, st)]; has && s.missed(n.Name) == 0 {
			home = n
			break
		}
	}
	if w.route.KeepAlive || s.Controls[home.Kind].Puller.OnDemand() {
		out[keyOf(home.Name, st)] = w
	}
}

// writeDown makes rows for what is wanted without anybody having asked. It is as
// old as can be, so that nothing but its route keeps it.
func (s *Service) writeDown(ctx context.Context, wanted map[key]want, known map[key]db.Relay) error {
	for k, w := range wanted {
		if _, ok := known[k]; ok {
			continue
		}
		row, err := s.q.RelayEnsure(ctx, s.DB, db.RelayEnsureParams{Node: k.node, App: k.app, Stream: k.stream, Pattern: w.route.Pattern, Now: s.Now(),
			UsedAt: s.Now().Add(-IdleAfter)})
		if err != nil {
			return pg.Err(err, nil)
		}
		known[k] = row
	}
	return nil
}

// repair makes one node agree with what is wanted of it.
func (s *Service) repair(ctx context.Context, l listing, wanted map[key]want, known map[key]db.Relay) {
	for k, row := range known {
		w, ok := wanted[k]
		switch {
		case k.node != l.node.Name || !ok:
		case !l.known:
			if s.missed(k.node) > 0 {
				s.setState(ctx, row, Failed, reasonUnreachable, 0)
			}
		default:
			s.uphold(ctx, l, k, row, w)
		}
	}
	for k := range l.pulls {
		if _, ok := wanted[k]; !ok {
			s.end(ctx, l.node, k)
		}
	}
}

// uphold keeps one pull as it should be and writes down how it goes.
func (s *Service) uphold(ctx context.Context, l listing, k key, row db.Relay, w want) {
	state, there := l.pulls[k]
	current := there && versionTime(row.Version) == versionTime(version(w.route, netip.Addr{}))
	if !current || s.lookAgain(k) {
		err := s.tell(ctx, k, l.node, row, w.remote, w.route)
		switch reason := reasonOf(err); {
		case err == nil:
		case reason == "address_not_allowed" && there:
			s.end(ctx, l.node, k)
			fallthrough
		case !current:
			s.complain(ctx, k, row, err)
			s.setState(ctx, row, Failed, reason, 0)
			return
		}
		if !there { // how it goes is seen in the next round
			if row.State == Failed {
				s.setState(ctx, row, Starting, "", 0)
			}
			return
		}
	}
	next, reason := s.judge(row, state, w.route)
	s.setState(ctx, row, next, reason, state.Viewers)
}

// judge says how a pull goes.
func (s *Service) judge(row db.Relay, p media.PullState, r route.Route) (state, reason string) {
	recently := s.Now().Sub(row.UsedAt) < patience
	switch {
	case p.Ready:
		return Running, ""
	case p.Fault != "":
		return Failed, reasonFault
	case !r.KeepAlive && p.Viewers == 0 && !recently:
		return Idle, ""
	case row.State == Failed && row.Reason == reasonNoMedia:
		return Failed, row.Reason
	case row.State == Starting && s.Now().Sub(row.Since) >= patience:
		return Failed, reasonNoMedia
	}
	return Starting, ""
}

// lookAgain says that a name is due to be looked up again.
func (s *Service) lookAgain(k key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Now().Sub(s.looked[k]) >= resolveEvery
}

// complain logs a failure once, when it begins.
func (s *Service) complain(ctx context.Context, k key, row db.Relay, err error) {
	if row.State != Failed {
		s.Log.WarnContext(ctx, notFetched.Begins, "node", k.node, "pattern", row.Pattern, "error", err)
	}
}

func (s *Service) end(ctx context.Context, n media.Node, k key) {
	err := s.Controls[n.Kind].Puller.Unpull(ctx, n, k.media())
	s.outages.Note(ctx, notStopped, k.node+k.path(), err, "node", k.node, "stream", k.path())
	if err == nil {
		s.Log.InfoContext(ctx, "stream is fetched no more", "node", k.node, "stream", k.path())
	}
}

// setState writes a state down where it is news. Use is written now and then:
// long before it would be forgotten.
func (s *Service) setState(ctx context.Context, row db.Relay, state, reason string, viewers int) {
	now, used := s.Now(), row.UsedAt
	if viewers > 0 && now.Sub(used) > IdleAfter/5 {
		used = now
	}
	if row.State == state && row.Reason == reason && int(row.Viewers) == viewers && used.Equal(row.UsedAt) {
		return
	}
	err := s.q.RelayState(ctx, s.DB, db.RelayStateParams{Node: row.Node, App: row.App, Stream: row.Stream, State: state, Reason: reason,
		Viewers: int32(min(viewers, 1<<30)), UsedAt: used, Now: now})
	if err != nil {
		s.Log.WarnContext(ctx, "state of a route is not written down", "error", pg.Err(err, nil))
	}
}

// forget takes away the rows of what nobody wants and no node has any more. A
// node that does not answer may still have it; one that is gone is not asked.
func (s *Service) forget(ctx context.Context, lists map[string]listing, wanted map[key]want, known map[key]db.Relay) error {
	for k, row := range known {
		l, able := lists[k.node]
		_, pulled := l.pulls[k]
		if _, ok := wanted[k]; ok || pulled || able && !l.known {
			continue
		}
		if err := s.q.RelayDelete(ctx, s.DB, db.RelayDeleteParams{Node: k.node, App: k.app, Stream: k.stream, UsedAt: row.UsedAt}); err != nil {
			return pg.Err(err, nil)
		}
	}
	return nil
}
