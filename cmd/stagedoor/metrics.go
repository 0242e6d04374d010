package main

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/reconcile"
)

// metrics are what Prometheus reads at /metrics.
type metrics struct {
	registry *prometheus.Registry
	verdicts *series[verdictKey, prometheus.Counter]
	requests *series[requestKey, prometheus.Observer]
	cloud    *prometheus.HistogramVec
	limited  *prometheus.CounterVec
	dropped  prometheus.Counter
	repairs  *prometheus.CounterVec
	batches  prometheus.Histogram
	commits  prometheus.Histogram
}

// verdictKey tells verdicts apart, and requestKey requests.
type (
	verdictKey struct {
		scene  media.Scene
		allow  bool
		reason media.Reason
	}
	requestKey struct {
		method, route string
		status        int
	}
)

func newMetrics(r *prometheus.Registry) *metrics {
	verdicts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "stagedoor_decisions_total",
		Help: "Answers to media servers by scene, result (allow, deny) and reason.",
	}, []string{"scene", "result", "reason"})
	requests := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "stagedoor_http_request_duration_seconds",
		Help:    "Time to answer a request by method, route and status.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"method", "route", "status"})
	m := &metrics{
		registry: r,
		verdicts: newSeries(func(k verdictKey) prometheus.Counter {
			result := "deny"
			if k.allow {
				result = "allow"
			}
			return verdicts.WithLabelValues(string(k.scene), result, string(k.reason))
		}),
		requests: newSeries(func(k requestKey) prometheus.Observer {
			return requests.WithLabelValues(k.method, k.route, strconv.Itoa(k.status))
		}),
		cloud: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "stagedoor_cloud_request_duration_seconds",
			Help:    "Time of requests to a cloud by action and outcome (done, refused, failed).",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5},
		}, []string{"action", "outcome"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stagedoor_limited_total",
			Help: "What was refused because of a limit, by the setting of the limit.",
		}, []string{"limit"}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "stagedoor_ledger_batch_events",
			Help:    "Events of media servers that shared one commit.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "stagedoor_ledger_commit_duration_seconds",
			Help:    "Time of a commit that events of media servers shared.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stagedoor_refusals_dropped_total",
			Help: "Refusals that cannot be looked up, because there were too many at once.",
		}),
	}
	for _, limit := range limits {
		m.limited.WithLabelValues(limit)
	}
	m.repairs = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "stagedoor_ledger_repairs_total",
		Help: "What this process put right on record by kind: ended, learned, refused, expired, orphan.",
	}, []string{"kind"})
	for _, kind := range reconcile.Kinds() {
		m.repairs.WithLabelValues(kind) // so that it is there, at zero, before anything happens
	}
	r.MustRegister(m.repairs, verdicts, requests, m.batches, m.commits, m.cloud, m.limited, m.dropped, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observeFeed tells how true the view in memory is.
func (m *metrics) observeFeed(f *pg.Feed) {
	reloads := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "stagedoor_view_reloads_total",
		Help: "Times that rules, tokens and accounts were read anew, by cause.",
	}, []string{"cause"})
	for _, cause := range pg.Causes {
		reloads.WithLabelValues(string(cause))
	}
	f.Reloaded = func(c pg.Cause) { reloads.WithLabelValues(string(c)).Inc() }
	m.registry.MustRegister(reloads, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "stagedoor_view_staleness_seconds",
		Help: "Time since rules, tokens and accounts in memory were last known to be as the database has them.",
	}, func() float64 { return f.Staleness().Seconds() }))
}

// observeVerdict counts decisions. Events that only inform are not decisions.
func (m *metrics) observeVerdict(e media.Event, v media.Verdict) {
	if e.Action != media.Publishing && e.Action != media.Playing && v.Allow {
		return
	}
	m.verdicts.of(verdictKey{e.Scene(), v.Allow, v.Reason}).Inc()
}

// observeRequest measures a finished request. Methods of no known route are
// folded, so that a stranger cannot grow the number of series.
func (m *metrics) observeRequest(method, route string, status int, took time.Duration) {
	if route == "" {
		method, route = "other", "none"
	}
	m.requests.of(requestKey{method, route, status}).Observe(took.Seconds())
}

// observeCloud measures a request to a cloud.
func (m *metrics) observeCloud(action, outcome string, took time.Duration) {
	m.cloud.WithLabelValues(action, outcome).Observe(took.Seconds())
}

// limits are the settings that refuse something.
var limits = []string{"max_connections", "max_connections_per_address", "rate_limit", "account_rate_limit", "login_attempts",
	"login_attempts_per_address", "hash_queue"}

// watchConnections tells how many connections are open.
func (m *metrics) watchConnections(count func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "stagedoor_connections_open",
		Help: "Connections to the main listener.",
	}, count))
}

func (m *metrics) countLimited(limit string) { m.limited.WithLabelValues(limit).Inc() }

func (m *metrics) dropRefusals(n int64) { m.dropped.Add(float64(n)) }

// observeRepairs counts what the ledger had wrong.
func (m *metrics) observeRepairs(kind string, n int) { m.repairs.WithLabelValues(kind).Add(float64(n)) }

// observeCommit measures a commit of the ledger.
func (m *metrics) observeCommit(events int, took time.Duration) {
	m.batches.Observe(float64(events))
	m.commits.Observe(took.Seconds())
}
