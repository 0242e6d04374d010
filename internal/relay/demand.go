package relay

import (
	"cmp"
	"context"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/route"
)

var (
	errBadSource = errs.New(errs.Invalid, "cannot_pull", "the URL of the route is none")
	errNoCarrier = errs.New(errs.Conflict, reasonNoCarrier, messages[reasonNoCarrier])
	errTooMany   = errs.New(errs.RateLimited, "too_many_streams", "the route fetches as many streams as it may")
)

// Ledger puts the demand for streams behind the decision: what a viewer may play
// and nobody publishes is fetched, if a route says from where.
type Ledger struct {
	media.Ledger
	Relays *Service
}

// Handle decides and records, and asks for the stream of an allowed play before
// the media server is answered.
func (l Ledger) Handle(ctx context.Context, e media.Event) (media.Verdict, error) {
	v, err := l.Ledger.Handle(ctx, e)
	if err == nil && v.Allow && e.Action == media.Playing && !e.Relay {
		_, _ = l.Relays.Demand(ctx, e.Node, e.Stream) // a failure is in the log, and the player waits for nothing
	}
	return v, err
}

// demandFresh is for how long a demand is not looked at again. It is much
// shorter than IdleAfter, and long enough for many viewers to cost nothing.
const demandFresh = 10 * time.Second

// Demand has a stream fetched that somebody wants to play on a node, if a route
// names it and nobody publishes it. The node fetches it itself where it can;
// otherwise the one that carries the route does. Found says whether there is such
// a route. A demand that is repeated costs nothing.
func (s *Service) Demand(ctx context.Context, node string, st media.Stream) (found bool, err error) {
	remote, r, ok := s.Routes.Match(st.Path())
	if !ok {
		return false, nil
	}
	if s.askedLately(keyOf(node, st)) {
		return true, nil
	}
	err = s.fetch(ctx, node, st, remote, r)
	s.outages.Note(ctx, notFetched, node+st.Path(), err, "node", node, "stream", st)
	return true, err
}

// fetch has a stream fetched, unless somebody publishes it.
func (s *Service) fetch(ctx context.Context, node string, st media.Stream, remote string, r route.Route) error {
	ctx, cancel := context.WithTimeout(ctx, demandTimeout)
	defer cancel()
	if published, err := s.q.RelayPublished(ctx, s.DB, db.RelayPublishedParams{Vhost: cmp.Or(st.Vhost, media.DefaultVhost), App: st.App, Stream: st.Name}); err != nil || published {
		return pg.Err(err, nil)
	}
	carriers := s.carriers(st.Path())
	if i := slices.IndexFunc(carriers, func(n media.Node) bool { return n.Name == node }); i >= 0 {
		carriers = carriers[i : i+1]
	}
	var err error = errNoCarrier
	for _, n := range carriers {
		if err = s.begin(ctx, keyOf(n.Name, st), n, remote, r); err == nil || errs.KindOf(err) != errs.BadGateway {
			break
		}
	}
	return err
}

// askedLately notes a demand and says whether there was one a moment ago,
// whatever came of it: one that failed would fail again.
func (s *Service) askedLately(k key) bool {
	now := s.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.asked[k]; ok && now.Sub(at) < demandFresh {
		return true
	}
	if len(s.asked) >= maxRows {
		clear(s.asked)
	}
	s.asked[k] = now
	return false
}

// begin writes down that a stream is wanted and tells its node.
func (s *Service) begin(ctx context.Context, k key, n media.Node, remote string, r route.Route) error {
	if count, err := s.q.RelayCount(ctx, s.DB, r.Pattern); err != nil || count >= maxPerRoute {
		return cmp.Or(pg.Err(err, nil), error(errTooMany))
	}
	row, err := s.q.RelayDemand(ctx, s.DB, db.RelayDemandParams{Node: k.node, App: k.app, Stream: k.stream, Pattern: r.Pattern, Now: s.Now()})
	if err != nil {
		return pg.Err(err, nil)
	}
	if err := s.tell(ctx, k, n, row, remote, r); err != nil {
		s.setState(ctx, row, Failed, reasonOf(err), 0)
		return err
	}
	if row.State != Running {
		s.setState(ctx, row, Starting, "", 0)
	}
	return nil
}

// tell makes a node fetch a stream, which is nothing where it does so already,
// and writes down what it was told.
func (s *Service) tell(ctx context.Context, k key, n media.Node, row db.Relay, remote string, r route.Route) error {
	source, address, err := s.pin(ctx, remote, versionAddr(row.Version))
	if err != nil {
		return err
	}
	s.lookedUp(k)
	p := media.Pull{Stream: k.media(), Source: source, KeepAlive: r.KeepAlive, IdleAfter: IdleAfter}
	if err := s.Controls[n.Kind].Puller.Pull(ctx, n, p); err != nil {
		return err
	}
	told := version(r, address)
	if row.Version == told && row.Pattern == r.Pattern {
		return nil
	}
	return pg.Err(s.q.RelayTold(ctx, s.DB, db.RelayToldParams{Node: k.node, App: k.app, Stream: k.stream, Pattern: r.Pattern, Version: told}), nil)
}

func (s *Service) lookedUp(k key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.looked) >= maxRows {
		clear(s.looked)
	}
	s.looked[k] = s.Now()
}

// version says what a node was told: the route as it was then, and the address.
func version(r route.Route, a netip.Addr) string {
	address := ""
	if a.IsValid() {
		address = a.String()
	}
	return r.Pattern + " " + r.UpdatedAt.UTC().Format(time.RFC3339Nano) + " " + address
}

// versionTime is a version without its address.
func versionTime(v string) string { return v[:strings.LastIndexByte(v, ' ')+1] }

func versionAddr(v string) netip.Addr {
	a, _ := netip.ParseAddr(v[strings.LastIndexByte(v, ' ')+1:]) // the zero address stands for none
	return a
}

// carriers are the nodes that can fetch a stream, in the order in which they
// should: each path has its own, which stays the same while nodes come and go.
func (s *Service) carriers(path string) []media.Node {
	able := slices.DeleteFunc(s.Nodes.Known(), func(n media.Node) bool { return !s.able(n) })
	slices.SortStableFunc(able, func(a, b media.Node) int {
		return cmp.Or(cmp.Compare(s.missed(a.Name), s.missed(b.Name)), cmp.Compare(weight(b.Name, path), weight(a.Name, path)))
	})
	return able
}

func (s *Service) able(n media.Node) bool {
	return n.ControlURL != "" && s.Controls[n.Kind].Puller != nil
}

// missed is one for a node that does not answer, so that healthy ones come first.
func (s *Service) missed(node string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.misses[node] >= unreachableAfter {
		return 1
	}
	return 0
}

// weight is the lot that a node draws for a path.
func weight(node, path string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(path + "\x00" + node)) // which never fails
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}
