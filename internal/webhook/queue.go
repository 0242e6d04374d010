package webhook

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

const (
	// perEndpoint attempts are under way at once for an endpoint, in each process.
	perEndpoint = 4
	// fetchCooldown is the least time between two looks into a queue, and fetchPoll
	// the most, for news that were missed; with PollOnly there are no news.
	fetchCooldown = 20 * time.Millisecond
	fetchPoll     = 10 * time.Second
	fetchPollOnly = time.Second
	// margin is what a job may take beside its attempt.
	margin = 2 * noteTimeout
	// maxJobAttempts is how often a job may break off for reasons of ours. How often
	// an endpoint may fail is another matter, see pause.
	maxJobAttempts = 1000
	// retryOwn is after how long a job is tried again that broke off.
	retryOwn = 10 * time.Second
	// leaveAlone is how long leaving the queue of one endpoint may hold up the
	// others'; it goes on with the next look.
	leaveAlone = time.Second
)

// attempt is the job of a delivery.
type attempt struct {
	ID int64     `json:"id"`
	At time.Time `json:"at"`
}

// Kind names the job in the queue.
func (attempt) Kind() string { return "webhook_delivery" }

type worker struct {
	river.WorkerDefaults[attempt]
	s *Service
}

func (w *worker) Work(ctx context.Context, job *river.Job[attempt]) error {
	return w.s.deliver(ctx, job.Args.ID, job.Args.At)
}

func (w *worker) Timeout(*river.Job[attempt]) time.Duration { return w.s.Timeout + margin }

func (w *worker) NextRetry(*river.Job[attempt]) time.Time { return time.Now().Add(retryOwn) }

// queue works on the jobs of the endpoints that are served. It runs only while
// there is such an endpoint, so that whoever has none pays nothing.
type queue struct {
	s      *Service
	client *river.Client[pgx.Tx] // nil: it does not run
	serves map[string]bool
}

// serve has exactly these endpoints served. What cannot be done now is left to
// the next call.
func (q *queue) serve(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		q.stop(ctx)
		return nil
	}
	if q.client == nil {
		return q.start(ctx, ids)
	}
	var problems []error
	want := map[string]bool{}
	for _, id := range ids {
		want[id] = true
	}
	for id := range q.serves {
		if !want[id] {
			problems = append(problems, q.leave(ctx, id))
		}
	}
	for id := range want {
		if !q.serves[id] {
			if err := q.client.Queues().Add(id, q.s.queueConfig()); err != nil {
				problems = append(problems, err)
				continue
			}
			q.serves[id] = true
		}
	}
	return errors.Join(problems...)
}

func (q *queue) start(ctx context.Context, ids []string) (err error) {
	queues, serves := map[string]river.QueueConfig{}, map[string]bool{}
	for _, id := range ids {
		queues[id], serves[id] = q.s.queueConfig(), true
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{s: q.s})
	client, err := river.NewClient(riverpgxv5.New(q.s.DB), &river.Config{Schema: q.s.schema, Logger: quiet(q.s.Log), Workers: workers, Queues: queues,
		PollOnly: q.s.PollOnly, JobTimeout: q.s.Timeout + margin, RescueStuckJobsAfter: q.s.Timeout + 2*margin,
		CompletedJobRetentionPeriod: time.Hour, CancelledJobRetentionPeriod: time.Hour, DiscardedJobRetentionPeriod: 24 * time.Hour})
	if err != nil {
		return err
	}
	// It ends by stop alone: what is under way may finish.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	q.client, q.serves = client, serves
	return nil
}

func (s *Service) queueConfig() river.QueueConfig {
	c := river.QueueConfig{MaxWorkers: perEndpoint, FetchCooldown: fetchCooldown, FetchPollInterval: fetchPoll}
	if s.PollOnly {
		c.FetchPollInterval = fetchPollOnly
	}
	return c
}

// leave stops working on a queue; jobs stay in it.
func (q *queue) leave(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, leaveAlone)
	defer cancel()
	if err := q.client.Queues().Remove(ctx, id); err != nil {
		return err
	}
	delete(q.serves, id)
	return nil
}

// stop lets attempts under way finish, for a while; those that do not are given
// back and made again, by this process or another.
func (q *queue) stop(ctx context.Context) {
	if q.client == nil {
		return
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.s.Grace)
	defer cancel()
	if err := q.client.Stop(grace); err != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), margin)
		defer cancel()
		if err := q.client.StopAndCancel(last); err != nil {
			q.s.Log.WarnContext(ctx, "webhook attempts cut off", "error", err)
		}
	}
	q.client, q.serves = nil, nil
}

// dropJobs deletes what waits in a queue.
func (s *Service) dropJobs(ctx context.Context, tx pgx.Tx, name string) error {
	const atOnce = 1000
	for {
		res, err := s.inserts.JobDeleteManyTx(ctx, tx, river.NewJobDeleteManyParams().Queues(name).First(atOnce))
		if err != nil || len(res.Jobs) < atOnce {
			return err
		}
	}
}

// quiet is our log for a queue that tells more than anybody wants to know.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(atLeastWarn{log.Handler()}) }

type atLeastWarn struct{ slog.Handler }

func (h atLeastWarn) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}
func (h atLeastWarn) WithAttrs(a []slog.Attr) slog.Handler {
	return atLeastWarn{h.Handler.WithAttrs(a)}
}
func (h atLeastWarn) WithGroup(n string) slog.Handler { return atLeastWarn{h.Handler.WithGroup(n)} }
