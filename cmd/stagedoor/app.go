package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"log/slog"
	mathrand "math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/clock"
	"github.com/stagedoor-live/stagedoor/internal/config"
	"github.com/stagedoor-live/stagedoor/internal/event"
	"github.com/stagedoor-live/stagedoor/internal/evict"
	"github.com/stagedoor-live/stagedoor/internal/explain"
	"github.com/stagedoor-live/stagedoor/internal/hashing"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/im/builtin"
	"github.com/stagedoor-live/stagedoor/internal/jump"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/nginx"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/outage"
	"github.com/stagedoor-live/stagedoor/internal/outbound"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/reconcile"
	"github.com/stagedoor-live/stagedoor/internal/refusal"
	"github.com/stagedoor-live/stagedoor/internal/relay"
	"github.com/stagedoor-live/stagedoor/internal/room"
	"github.com/stagedoor-live/stagedoor/internal/route"
	"github.com/stagedoor-live/stagedoor/internal/tracing/export"
	"github.com/stagedoor-live/stagedoor/internal/webhook"
)

// app is every service, wired. Commands use those they need.
type app struct {
	cfg      *config.Settings
	log      *slog.Logger
	outages  *outage.Log
	store    *store
	metrics  *metrics
	traces   *export.Traces
	hashes   *hashing.Workers
	conns    *connections
	accounts *account.Service
	access   *access.Service
	nodes    *node.Service
	routes   *route.Service
	groups   im.Families
	rooms    *room.Service
	jumps    *jump.Service
	ledger   *ledger.Ledger
	evict    *evict.Service
	refusals *refusal.Log
	events   *event.Log
	live     *event.Tail
	explain  *explain.Service
	sessions *nginx.Sessions
	relays   *relay.Service
	webhooks *webhook.Service
	feed     *pg.Feed
	controls media.Controls
	// leader is of what only one of several processes does at a time.
	leader     *pg.Leader
	reconciler *reconcile.Reconciler
}

// newApp opens the database and builds the services. Their views are empty
// until load or feed.Start.
func newApp(ctx context.Context, cfg *config.Settings, log *slog.Logger) (*app, error) {
	s, err := openStore(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	a, err := newAppOn(ctx, cfg, log, s)
	if err != nil {
		s.close(ctx)
	}
	return a, err
}

func newAppOn(ctx context.Context, cfg *config.Settings, log *slog.Logger, s *store) (*app, error) {
	a := &app{cfg: cfg, log: log, outages: outage.New(log, time.Now), store: s, hashes: &hashing.Workers{Log: log, Seldom: hashing.Seldom()},
		metrics: newMetrics(prometheus.NewRegistry())}
	if err := a.startTraces(ctx); err != nil {
		return nil, err
	}
	a.controls = controls(controlClient(cfg.NodeTimeout, a.traces.Tracer()))
	most := fitConnections(log, cfg.MaxConnections, int(s.pool.Config().MaxConns), openFiles())
	a.conns = &connections{most: most, mostOfOne: cfg.MaxConnectionsPerAddress, proxies: cfg.TrustedProxies, limited: a.metrics.countLimited}
	a.metrics.watchConnections(a.conns.count)
	if err := a.build(ctx); err != nil {
		return nil, err
	}
	return a, a.ensureDefaults(ctx)
}

func (a *app) build(ctx context.Context) (err error) {
	pool, box, now, watch := a.store.pool, a.store.box, time.Now, clock.NewWatch(time.Now, clock.Elapsed())
	a.accounts, err = account.New(ctx, account.Config{DB: pool, Box: box, Now: now, Rand: rand.Reader, Log: a.log, Issuer: "stagedoor",
		OpenRegistration: a.cfg.OpenRegistration, Key: a.hashes.Key,
		HashConcurrency: a.cfg.HashConcurrency, HashQueue: a.cfg.HashQueue, LoginAttempts: a.cfg.LoginAttempts,
		LoginAttemptsPerAddress: a.cfg.LoginAttemptsPerAddress, Limited: a.metrics.countLimited})
	if err != nil {
		return err
	}
	a.nodes = node.New(node.Config{DB: pool, Box: box, Now: now, Rand: rand.Reader})
	if a.groups, err = a.newGroups(ctx); err != nil {
		return err
	}
	links, err := a.links(ctx)
	if err != nil {
		return err
	}
	owners := &streamOwners{}
	a.access = access.New(access.Config{DB: pool, Box: box, Now: now, Rand: rand.Reader, Log: a.log, Owners: owners, Accounts: a.accounts, StreamTokens: a.accounts, App: a.cfg.App,
		PublishHost: media.HostOf(a.cfg.PushDomain), PlayHost: media.HostOf(a.cfg.PullDomain), Policy: access.Policy(a.cfg.DefaultPolicy),
		URLTTL: a.cfg.URLTTL})
	rooms := room.Config{DB: pool, Now: now, Rand: rand.Reader, Log: a.log, Groups: a.groups, Signer: a.access, Nodes: a.nodes, Links: links,
		PushKey: a.cfg.PushKey.Reveal()}
	if a.cfg.Cloud.Recordings {
		rooms.Library = a.cloudLibrary()
	}
	a.rooms = room.New(rooms)
	owners.rooms = a.rooms
	if a.jumps, err = a.newJumps(ctx); err != nil {
		return err
	}
	a.events = &event.Log{DB: pool, Now: now, Keep: a.cfg.EventsKeep}
	a.live = &event.Tail{DB: pool, Log: a.log, Most: a.cfg.MaxFollowers}
	a.refusals = refusal.New(refusal.Config{DB: pool, Now: now, Log: a.log, Keep: a.cfg.RefusalsKeep, Dropped: a.metrics.dropRefusals})
	a.ledger = ledger.New(ledger.Config{DB: pool, Now: now, Log: a.log, Access: a.access, Rooms: a.rooms, Nodes: a.nodes,
		Controls: a.controls, Timeout: a.cfg.CallbackTimeout, Keep: a.cfg.SessionsKeep, Observe: a.metrics.observeVerdict, Committed: a.metrics.observeCommit, Refused: a.noteRefusal})
	a.leader = pg.NewLeader(a.store.direct, a.log)
	a.reconciler = reconcile.New(reconcile.Config{DB: pool, Now: now, Log: a.log, Ledger: a.ledger, Leader: a.leader, Nodes: a.nodes, Controls: a.controls,
		Clock: watch, Period: a.cfg.ReconcilePeriod, Lease: a.cfg.SessionLease, Repaired: a.metrics.observeRepairs})
	a.evict = evict.New(evict.Config{DB: pool, Now: now, Clock: watch, Jitter: mathrand.Float64, Log: a.log, Nodes: a.nodes, Controls: a.controls, Ledger: a.ledger,
		Accounts: a.accounts, Bans: a.access})
	if a.sessions, err = a.newSessions(ctx); err != nil {
		return err
	}
	a.explain = explain.New(explain.Config{Access: a.access, Streams: a.ledger, Now: now, PublishHost: media.HostOf(a.cfg.PushDomain),
		PlayHost: media.HostOf(a.cfg.PullDomain), App: a.cfg.App})
	a.routes = route.New(route.Config{DB: pool, Box: box, Now: now, Log: a.log, Guard: outbound.Guard{Allow: a.cfg.RouteAllow, Timeout: a.cfg.LookupTimeout}})
	a.relays = relay.New(relay.Config{DB: pool, Now: now, Log: a.log, Routes: a.routes, Nodes: a.nodes, Controls: a.controls,
		Guard: outbound.Guard{Allow: a.cfg.RouteAllow, Timeout: a.cfg.LookupTimeout}, Leader: a.leader})
	a.webhooks, err = webhook.New(ctx, webhook.Config{DB: pool, Box: box, Now: now, Rand: rand.Reader, Log: a.log, Timeout: a.cfg.WebhookTimeout,
		Grace: a.cfg.ShutdownTimeout, Keep: a.cfg.WebhookKeep, PollOnly: a.store.pooled, Observe: newWebhookMetrics(a.metrics.registry).observe,
		Tracer: a.traces.Tracer(), Guard: outbound.Guard{Allow: a.cfg.WebhookAllowPrivate, Timeout: a.cfg.LookupTimeout}})
	if err != nil {
		return err
	}
	watchOutbox(a.metrics.registry, a.webhooks.OutboxAge)
	a.feed = pg.NewFeed(pool, a.log, a.accounts, a.access, a.nodes, a.routes, a.relays, a.evict, a.webhooks)
	a.feed.ListenAt(a.store.direct)
	a.metrics.observeFeed(a.feed)
	a.metrics.watchStage(a)
	return nil
}

// streamOwners breaks the circle between access, which asks whose stream a
// name is, and rooms, which sign their URLs through access.
type streamOwners struct{ rooms *room.Service }

func (o *streamOwners) StreamOwner(ctx context.Context, app, stream string) (string, error) {
	return o.rooms.StreamOwner(ctx, app, stream)
}

func (a *app) newGroups(ctx context.Context) (im.Families, error) {
	p := &builtin.Provider{Now: time.Now, Rand: rand.Reader}
	for _, v := range []struct {
		to               *string
		configured, name string
		bytes            int
	}{
		{&p.AppID, a.cfg.IMAppID, "im_app_id", 8},
		{&p.AppKey, a.cfg.IMAppKey.Reveal(), "im_app_key", 16},
		{&p.AppSign, a.cfg.IMAppSign.Reveal(), "im_app_sign", 16},
	} {
		var err error
		if *v.to, err = a.store.setting(ctx, v.configured, v.name, v.bytes); err != nil {
			return im.Families{}, err
		}
	}
	return a.cloudGroups(p), nil
}

func (a *app) links(ctx context.Context) (room.LinkConfig, error) {
	id, err := a.store.setting(ctx, a.cfg.RTCAppID, "rtc_app_id", 8)
	if err != nil {
		return room.LinkConfig{}, err
	}
	key, err := a.store.setting(ctx, a.cfg.RTCAppKey.Reveal(), "rtc_app_key", 16)
	return room.LinkConfig{PushDomain: a.cfg.PushDomain, PullDomain: a.cfg.PullDomain, HTTPPullDomain: a.cfg.HTTPPullDomain,
		App: a.cfg.App, HTTPScheme: a.cfg.PullScheme, RTS: a.cfg.RTSURLs, TTL: a.cfg.URLTTL, RTCAppID: id, RTCAppKey: key}, err
}

// newJumps takes the public URL when it makes a link: a server that lets the
// system choose its port knows it late.
func (a *app) newJumps(ctx context.Context) (*jump.Service, error) {
	key, err := a.store.setting(ctx, "", "jump_key", 32)
	if err != nil {
		return nil, err
	}
	return jump.New(jump.Config{DB: a.store.pool, Now: time.Now, Rand: rand.Reader, Key: []byte(key), Accounts: a.accounts, Rooms: a.rooms,
		Server: func() string { return a.cfg.PublicURL }})
}

// newSessions seals what players of edges carry from a playlist to its segments.
func (a *app) newSessions(ctx context.Context) (*nginx.Sessions, error) {
	text, err := a.store.setting(ctx, "", "hls_session_key", 32)
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256([]byte(text))
	return nginx.NewSessions(key[:], rand.Reader, a.cfg.HLSSessionIdle)
}

// ensureDefaults fills an empty database: the local node and the rules that
// sign every URL.
func (a *app) ensureDefaults(ctx context.Context) error {
	if err := a.nodes.EnsureLocal(ctx); err != nil {
		return err
	}
	return a.access.EnsureDefaults(ctx)
}

// load fills the views once, for commands that do not follow changes.
func (a *app) load(ctx context.Context) error {
	for _, f := range []pg.Follower{a.accounts, a.access, a.nodes, a.routes} {
		if err := f.Reload(ctx, a.store.pool); err != nil {
			return err
		}
	}
	return nil
}
