package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stagedoor-live/stagedoor/internal/webhook"
)

// webhookMetrics are of what is sent to endpoints.
type webhookMetrics struct {
	sent *prometheus.CounterVec
	took *prometheus.HistogramVec
}

func newWebhookMetrics(r prometheus.Registerer) webhookMetrics {
	m := webhookMetrics{
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stagedoor_webhook_deliveries_total",
			Help: "Attempts to deliver an event to an endpoint by result: delivered, retried (to be attempted again), failed (given up).",
		}, []string{"result"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "stagedoor_webhook_attempt_duration_seconds",
			Help:    "Time of attempts to deliver an event to an endpoint by result.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30},
		}, []string{"result"}),
	}
	for _, result := range webhook.Results {
		m.sent.WithLabelValues(result) // so that it is there, at zero, before anything happens
	}
	r.MustRegister(m.sent, m.took)
	return m
}

func (m webhookMetrics) observe(result string, took time.Duration) {
	m.sent.WithLabelValues(result).Inc()
	m.took.WithLabelValues(result).Observe(took.Seconds())
}

// watchOutbox tells how far webhooks are behind.
func watchOutbox(r prometheus.Registerer, age func() time.Duration) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "stagedoor_event_outbox_age_seconds",
		Help: "How long the oldest event waits to be handed on to webhooks.",
	}, func() float64 { return age().Seconds() }))
}
