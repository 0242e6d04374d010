package main

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

const (
	// scrapePatience is how long a scrape waits for the database: without it the
	// other figures are still worth having.
	scrapePatience = time.Second
	// scrapeFresh is how long an answer of the database is good for, so that
	// whoever scrapes at will costs it nothing.
	scrapeFresh = 2 * time.Second
	// maxScrapedNodes bounds the series of nodes.
	maxScrapedNodes = 1000
)

// stage tells at each scrape what the database knows for all processes together.
type stage struct {
	app *app

	mu   sync.Mutex
	at   time.Time
	told []prometheus.Metric
}

var (
	descSessions = prometheus.NewDesc("stagedoor_sessions_open",
		"Publishers and players that are connected, at all processes together. One publisher is one stream.", []string{"scene"}, nil)
	descNodeUp = prometheus.NewDesc("stagedoor_node_up",
		"Whether a media server's control URL answers: 1 yes, 0 no. Servers that cannot be asked are left out.", []string{"node", "kind"}, nil)
	descEvictions = prometheus.NewDesc("stagedoor_evictions_pending",
		"Sessions that are to be cut off and are not gone yet.", nil, nil)
)

// Describe sends nothing: what there is depends on the database's being there.
func (s *stage) Describe(chan<- *prometheus.Desc) {}

// Collect sends what the database said, and nothing of what it did not.
func (s *stage) Collect(to chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.told == nil || now.Sub(s.at) > scrapeFresh {
		ctx, cancel := context.WithTimeout(context.Background(), scrapePatience)
		defer cancel()
		s.told, s.at = s.ask(ctx), now
	}
	for _, m := range s.told {
		to <- m
	}
}

func (s *stage) ask(ctx context.Context) (told []prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		told = append(told, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...))
	}
	if f, err := s.app.ledger.Figures(ctx); err == nil {
		gauge(descSessions, float64(f.Sources), string(media.Publish))
		gauge(descSessions, float64(f.Consumers), string(media.Play))
	}
	if pending, err := s.app.evict.Pending(ctx); err == nil {
		gauge(descEvictions, float64(pending))
	}
	nodes, err := s.app.nodes.Page(ctx, "", maxScrapedNodes)
	if err != nil {
		return told
	}
	for _, n := range nodes {
		switch n.Health.State {
		case "up":
			gauge(descNodeUp, 1, n.Name, string(n.Kind))
		case "unreachable":
			gauge(descNodeUp, 0, n.Name, string(n.Kind))
		}
	}
	return told
}

// pool tells how a pool of connections to the database is used.
type pool struct{ of *pgxpool.Pool }

var (
	descPool = prometheus.NewDesc("stagedoor_database_pool_connections",
		"Connections of the pool by state: idle, used, being made (constructing).", []string{"state"}, nil)
	descPoolMost   = prometheus.NewDesc("stagedoor_database_pool_connections_max", "Most connections that the pool makes.", nil, nil)
	descPoolWaited = prometheus.NewDesc("stagedoor_database_pool_waited_total",
		"Times that a connection was asked for and none was idle.", nil, nil)
	descPoolWait = prometheus.NewDesc("stagedoor_database_pool_wait_seconds_total",
		"Time spent waiting for connections.", nil, nil)
)

// Describe lists what Collect sends.
func (p pool) Describe(to chan<- *prometheus.Desc) {
	to <- descPool
	to <- descPoolMost
	to <- descPoolWaited
	to <- descPoolWait
}

// Collect sends the pool's own figures.
func (p pool) Collect(to chan<- prometheus.Metric) {
	s := p.of.Stat()
	for state, n := range map[string]int32{"idle": s.IdleConns(), "used": s.AcquiredConns(), "constructing": s.ConstructingConns()} {
		to <- prometheus.MustNewConstMetric(descPool, prometheus.GaugeValue, float64(n), state)
	}
	to <- prometheus.MustNewConstMetric(descPoolMost, prometheus.GaugeValue, float64(s.MaxConns()))
	to <- prometheus.MustNewConstMetric(descPoolWaited, prometheus.CounterValue, float64(s.EmptyAcquireCount()))
	to <- prometheus.MustNewConstMetric(descPoolWait, prometheus.CounterValue, s.AcquireDuration().Seconds())
}

// watchStage adds the figures that are read when somebody asks for them.
func (m *metrics) watchStage(a *app) {
	program, goVersion := buildVersions()
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "stagedoor_build_info", Help: "Always 1; the labels tell what runs.",
		ConstLabels: prometheus.Labels{"version": program, "go_version": goVersion}})
	build.Set(1)
	m.registry.MustRegister(&stage{app: a}, pool{a.store.pool}, build, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "stagedoor_ledger_queue_length",
		Help: "Events that wait for the next commit. When 4096 do, more are refused.",
	}, func() float64 { return float64(a.ledger.Waiting()) }))
}
