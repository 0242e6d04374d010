package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/rs/cors"

	"github.com/stagedoor-live/stagedoor/gen/spec"
	"github.com/stagedoor-live/stagedoor/internal/callback"
	"github.com/stagedoor-live/stagedoor/internal/console"
	"github.com/stagedoor-live/stagedoor/internal/dialect/appserver"
	"github.com/stagedoor-live/stagedoor/internal/dialect/ipchub"
	"github.com/stagedoor-live/stagedoor/internal/dialect/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/dialect/ops"
	"github.com/stagedoor-live/stagedoor/internal/dialect/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/dialect/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/media/mediamtx"
	"github.com/stagedoor-live/stagedoor/internal/media/nginx"
	"github.com/stagedoor-live/stagedoor/internal/media/nginxrtmp"
	"github.com/stagedoor-live/stagedoor/internal/media/nms"
	"github.com/stagedoor-live/stagedoor/internal/media/ome"
	"github.com/stagedoor-live/stagedoor/internal/media/srs"
	"github.com/stagedoor-live/stagedoor/internal/media/zlm"
	"github.com/stagedoor-live/stagedoor/internal/overview"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/relay"
)

type serveCmd struct{}

// Run serves until the context ends, then drains: readiness turns false,
// requests in flight finish, the ledger commits what it holds.
func (serveCmd) Run(e *env) error {
	log, logged := serveLogger(e.cfg, e.stderr)
	defer logged()
	a, err := newApp(e.ctx, e.cfg, log)
	if err != nil {
		return err
	}
	defer a.store.close(e.ctx)
	listeners, err := a.listen(e.ctx)
	if err != nil {
		return err
	}
	choosePort(a.cfg, listeners[0].Addr())
	password, first, err := a.accounts.EnsureAdmin(e.ctx, a.cfg.AdminUsername, a.cfg.AdminPassword.Reveal())
	if err != nil {
		return fmt.Errorf("first administrator: %w", err)
	}
	if first {
		greet(e.stdout, a.cfg, listeners[0].Addr(), password)
	}
	a.hashes.Command = hashWorker
	defer a.hashes.Close()
	return a.serve(e.ctx, listeners)
}

// serve runs everything that lives as long as the process.
func (a *app) serve(ctx context.Context, listeners []net.Listener) error {
	// Background work outlives the listeners, so that requests in flight find
	// it still there.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	// Webhooks under way finish while requests do. They end with serve too, which
	// may fail before anybody asks it to stop.
	sending, stopSending := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer stopSending()
	defer stopWork()
	a.attend(ctx, a.upkeep()...)
	if err := a.feed.Start(work); err != nil {
		return fmt.Errorf("load the view: %w", err)
	}
	background.Go(func() { a.ledger.Run(work) })
	background.Go(func() { a.leader.Run(work) })
	background.Go(func() { a.reconciler.Run(work) })
	background.Go(func() { a.rooms.Run(work) })
	background.Go(func() { a.relays.Run(work) })
	background.Go(func() { a.evict.Run(work) })
	background.Go(func() { a.refusals.Run(work) })
	background.Go(func() { a.webhooks.Run(sending) })
	background.Go(func() { a.live.Run(work) })
	background.Go(func() { a.chores(work) })

	draining := &drain{}
	servers, failed := []*http.Server{}, make(chan error, len(listeners))
	for i, h := range a.handlers(draining, len(listeners) > 1) {
		srv, err := a.server(draining.wrap(h), draining.watch)
		if err != nil {
			return err
		}
		servers = append(servers, srv)
		go func() { failed <- serveOn(srv, listeners[i]) }()
	}
	a.announce(ctx, listeners)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	a.log.InfoContext(ctx, "draining")
	a.live.Close() // who follows events would never leave
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.ShutdownTimeout)
	defer cancel()
	err := draining.finish(ending, servers, listeners, failed)
	stopSending()
	stopWork()
	background.Wait() // what it still commits is traced, too
	a.traces.Close(ending)
	return err
}

// announce tells the addresses that are in use, ports that the system chose
// included.
func (a *app) announce(ctx context.Context, listeners []net.Listener) {
	attrs := []any{"address", listeners[0].Addr().String()}
	if len(listeners) > 1 {
		attrs = append(attrs, "ops_address", listeners[1].Addr().String())
	}
	a.log.InfoContext(ctx, "serving", attrs...)
}

func serveOn(srv *http.Server, l net.Listener) error {
	var err error
	if srv.TLSConfig != nil {
		err = srv.ServeTLS(l, "", "")
	} else {
		err = srv.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// listen opens the main address and, where one is set, that of operations.
func (a *app) listen(ctx context.Context) ([]net.Listener, error) {
	main, err := listenOn(ctx, a.cfg.Listen)
	if err != nil {
		return nil, err
	}
	main.conns = a.conns
	if a.cfg.OpsListen == "" {
		return []net.Listener{main}, nil
	}
	private, err := listenOn(ctx, a.cfg.OpsListen)
	if err != nil {
		return nil, errors.Join(err, main.Close())
	}
	return []net.Listener{main, private}, nil
}

// listenOn listens without asking the kernel to probe whoever says nothing: the
// time-outs of the server end such a connection sooner, and four calls for each
// new one are saved.
func listenOn(ctx context.Context, address string) (*lastCall, error) {
	quiet := net.ListenConfig{KeepAlive: -1}
	l, err := quiet.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &lastCall{TCPListener: l.(*net.TCPListener)}, nil
}

func (a *app) server(h http.Handler, watch func(net.Conn, http.ConnState)) (*http.Server, error) {
	tlsConfig, err := tlsFromFiles(a.cfg.TLSCert, a.cfg.TLSKey)
	return &http.Server{
		Handler:           h,
		ConnState:         watch,
		TLSConfig:         tlsConfig,
		ReadHeaderTimeout: a.cfg.HeaderTimeout,
		ReadTimeout:       a.cfg.ReadTimeout,
		WriteTimeout:      a.cfg.WriteTimeout,
		IdleTimeout:       a.cfg.IdleTimeout,
		MaxHeaderBytes:    a.cfg.MaxHeader,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}, err
}

// handlers builds the main handler and, where operations have an address of
// their own, theirs; metrics and health are then not on the main one.
func (a *app) handlers(d *drain, split bool) []http.Handler {
	routers, limits := a.routers(d, split), a.limits(time.Now)
	if !split {
		return []http.Handler{a.wrap(limits.Wrap(routers[0]))}
	}
	return []http.Handler{a.wrap(limits.Wrap(withoutOps(routers[0]))), a.wrap(routers[1])}
}

// routers returns the one of everything that the spec has and, where they are
// on their own, that of operations.
func (a *app) routers(d *drain, split bool) []*httpx.Router {
	rt, private := httpx.NewRouter(), httpx.NewRouter()
	page := a.console()
	a.mount(rt, page, a.overview(d))
	o := &ops.Server{Registry: a.metrics.registry, Spec: spec.YAML, Accounts: a.accounts, Ready: a.ready(d), Console: page, Log: a.log}
	o.Register(rt)
	if !split {
		return []*httpx.Router{rt}
	}
	o.Register(private)
	registerProfiles(private)
	return []*httpx.Router{rt, private}
}

// mount registers the dialects and the callbacks.
func (a *app) mount(rt *httpx.Router, page *console.Console, o *overview.Service) {
	(&stagedoor.Server{Accounts: a.accounts, Nodes: a.nodes, Relays: a.relays, Controls: a.controls, Explain: a.explain, Refusals: a.refusals, Webhooks: a.webhooks, Rooms: a.rooms,
		Events: a.events, Live: a.live, Streams: a.ledger, Kicks: a.evict, Access: a.access, Overview: o,
		Configure: func(n media.Node, secret string) string { return configLines(a.cfg, n, secret) }}).Register(rt)
	(&liveauth.Server{Accounts: a.accounts, Access: a.access, Ledger: a.ledger, Kicks: a.evict, PlayURL: a.playURL, TokenTTL: a.cfg.TokenTTL}).Register(rt)
	(&appserver.Server{Accounts: a.accounts, Rooms: a.rooms, Groups: a.groups, Jumps: a.jumps, TimeZone: a.cfg.Location, TokenTTL: a.cfg.AppTokenTTL}).Register(rt)
	(&volcengine.Server{Accounts: a.accounts, Rules: a.access, Bans: a.access, Streams: a.ledger, Kicks: a.evict, Now: time.Now, Log: a.log,
		Links: volcengine.Links{PushDomain: a.cfg.PushDomain, PullDomain: a.cfg.PullDomain, HTTPPullDomain: a.cfg.HTTPPullDomain,
			HTTPScheme: a.cfg.PullScheme}, Home: func(w http.ResponseWriter, r *http.Request) { page.Page(w, r, rt.Fail) }}).Register(rt)
	program, _ := buildVersions()
	(&ipchub.Server{Accounts: a.accounts, Routes: a.routes, Streams: a.ledger, Kicks: a.evict, Version: program, Started: time.Now(), Now: time.Now}).Register(rt)
	door := relay.Ledger{Ledger: a.ledger, Relays: a.relays} // what an allowed viewer waits for is fetched
	callback.Config{Nodes: a.nodes, SRS: srs.Hooks{Ledger: door, Log: a.log}, NginxRTMP: nginxrtmp.Hooks{Ledger: door, Log: a.log},
		Nginx:    nginx.Hooks{Ledger: door, Sessions: a.sessions, Now: time.Now, Log: a.log},
		NMS:      nms.Hooks{Ledger: door, Log: a.log, Relays: &nms.Client{HTTP: controlClient(a.cfg.NodeTimeout, a.traces.Tracer())}},
		MediaMTX: mediamtx.NewHooks(door, a.log, time.Now),
		ZLM:      zlm.Hooks{Ledger: door, Log: a.log, Now: time.Now},
		OME:      ome.Hooks{Ledger: door, Log: a.log, Now: time.Now, Lifetime: a.cfg.ViewerLifetime},
		Aliyun:   aliyun.Hooks{Ledger: door, Log: a.log, Now: time.Now}, Now: time.Now,
		Refused: a.refuseCaller}.Register(rt)
}

// unlimited is what machines call that would take a refusal for an answer, or
// for a failing process. A media server comes from one address with the events
// of all its clients.
var unlimited = []string{"/callback/", "/api/v1/live/handlePushStreamEventCallback",
	"/healthz", "/readyz", "/metrics", "/openapi.yaml", "/openapi.json", "/.well-known/jwks.json", "/docs", "/console/"}

// lasting is what a client may keep open for as long as it likes.
var lasting = []string{"/api/v1/events/live"}

func (a *app) limits(now func() time.Time) httpx.Limits {
	return httpx.Limits{PerSecond: a.cfg.RateLimit, AccountPerSecond: a.cfg.AccountRateLimit, Budget: a.cfg.RequestTimeout, Lasting: lasting, Now: now,
		Crowded: a.conns.crowded, Exempt: unlimited, Refused: a.metrics.countLimited}
}

func (a *app) wrap(rt httpx.Handler) http.Handler {
	h := httpx.Config{Log: a.log, Now: time.Now, Rand: rand.Reader, Proxies: a.cfg.TrustedProxies, Observe: a.metrics.observeRequest, MaxBody: a.cfg.MaxBody, Tracer: a.traces.Tracer()}.Wrap(rt)
	return a.allowOrigins(h)
}

// allowOrigins answers browsers of the configured origins, preflights without
// a token included. Without any origin there are no CORS headers at all.
func (a *app) allowOrigins(h http.Handler) http.Handler {
	if len(a.cfg.CORSOrigins) == 0 {
		return h
	}
	return cors.New(cors.Options{
		AllowedOrigins: a.cfg.CORSOrigins,
		AllowedMethods: []string{"POST", "GET", "PATCH", "DELETE", "OPTIONS"},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Accept", "Origin", "X-Live-Env"},
		ExposedHeaders: []string{"X-Total-Count", "X-Request-Id", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"},
		MaxAge:         43200,
	}).Handler(h)
}

// playURL is where a stream is played: by the node's own template, or by the
// configured domain.
func (a *app) playURL(n media.Node, st media.Stream) string {
	template := n.URLs.Play()
	if template == "" {
		template = a.cfg.PullScheme + "://" + a.cfg.HTTPPullDomain + "/{app}/{stream}.flv"
	}
	return media.FillURL(template, st)
}

// console is the page of people, from the program or from where it is being
// worked on.
func (a *app) console() *console.Console {
	if a.cfg.ConsoleDir != "" {
		return console.Live(os.DirFS(a.cfg.ConsoleDir), a.mediaOrigins)
	}
	return console.New(console.Files(), a.mediaOrigins)
}

// mediaOrigins are where players in the console fetch from: where rooms are
// played, and where nodes say that theirs are.
func (a *app) mediaOrigins() []string {
	urls := []string{a.cfg.PullScheme + "://" + a.cfg.HTTPPullDomain}
	for _, n := range a.nodes.Known() {
		urls = append(urls, n.URLs.HTTPFLV, n.URLs.HLS)
	}
	return console.Origins(urls)
}

// overview is what the start page of the console shows.
func (a *app) overview(d *drain) *overview.Service {
	return &overview.Service{Config: overview.Config{Now: time.Now, Ready: a.ready(d), Staleness: a.feed.Staleness, OnAir: a.ledger, Rooms: a.rooms, Nodes: a.nodes,
		Webhooks: a.webhooks, Keys: a.access, Refusals: a.refusals}}
}

// ready says why the process should get no requests, or nil.
func (a *app) ready(d *drain) func(context.Context) error {
	return func(ctx context.Context) error {
		switch {
		case d.started():
			return errs.New(errs.Unavailable, "draining", "shutting down")
		case !a.feed.Ready():
			return errs.New(errs.Unavailable, "view_incomplete", fmt.Sprintf("rules, tokens and accounts are being read; what is known of them is %s old",
				a.feed.Staleness().Round(time.Second)))
		}
		return pg.Err(a.store.pool.Ping(ctx), nil)
	}
}
