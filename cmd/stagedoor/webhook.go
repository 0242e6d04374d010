package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/dialect/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/webhook"
)

type webhookCmd struct {
	List       webhookListCmd       `cmd:"" help:"List webhooks."`
	Get        webhookGetCmd        `cmd:"" help:"Show one webhook and how it does."`
	Create     webhookCreateCmd     `cmd:"" help:"Send events to a URL from now on, and print the secret that signs them."`
	Update     webhookUpdateCmd     `cmd:"" help:"Change a webhook, disable or enable it."`
	Rotate     webhookRotateCmd     `cmd:"" help:"Give it a new secret; the old one signs too for a while."`
	Delete     webhookDeleteCmd     `cmd:"" help:"Remove a webhook; what waits for it is dropped."`
	Test       webhookTestCmd       `cmd:"" help:"Send a test event. A running server makes the attempt."`
	Deliveries webhookDeliveriesCmd `cmd:"" help:"List what was sent and what waits to be, the newest first."`
	Retry      webhookRetryCmd      `cmd:"" help:"Send a delivery again that is over."`
	Replay     webhookReplayCmd     `cmd:"" help:"Send the events of a time again."`
}

type webhookListCmd struct{}

const webhookPage = 500

func (webhookListCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		list, err := a.webhooks.Page(e.ctx, "", webhookPage)
		if err != nil {
			return err
		}
		out, rows := make([]gen.Webhook, len(list)), [][]string{}
		for i, w := range list {
			out[i] = stagedoor.ToWebhook(w)
			rows = append(rows, []string{w.ID, webhookState(out[i]), orDash(strings.Join(w.Types, ",")), w.URL, orDash(w.Description)})
		}
		return e.print(out, "ID STATE TYPES URL DESCRIPTION", rows)
	})
}

// webhookState is how an endpoint does, in a word.
func webhookState(w gen.Webhook) string {
	switch {
	case !w.Enabled:
		return "disabled:" + string(w.DisabledReason)
	case w.FailingSince != nil:
		return "failing"
	}
	return "enabled"
}

type webhookGetCmd struct {
	ID string `arg:""`
}

func (c webhookGetCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		w, err := a.webhooks.Get(e.ctx, c.ID)
		if err != nil {
			return err
		}
		return e.printWebhook(w)
	})
}

func (e *env) printWebhook(w webhook.Endpoint) error {
	out := stagedoor.ToWebhook(w)
	return e.print(out, "SETTING VALUE", webhookTable(out))
}

func webhookTable(w gen.Webhook) [][]string {
	return [][]string{{"id", w.ID}, {"url", w.URL}, {"description", orDash(w.Description)}, {"types", orDash(strings.Join(w.Types, ","))},
		{"state", webhookState(w)}, {"disabled", orNever(w.DisabledAt)}, {"failing since", orNever(w.FailingSince)}, {"held until", orNever(w.HeldUntil)},
		{"old secret until", orNever(w.OldSecretUntil)}, {"created", w.CreatedAt.Format(time.RFC3339)}}
}

// printSecret shows an endpoint with its secret, this once.
func (e *env) printSecret(w webhook.Endpoint, secret string) error {
	out := gen.WebhookSecret{Webhook: stagedoor.ToWebhook(w), Secret: secret}
	return e.print(out, "SETTING VALUE", append(webhookTable(out.Webhook), []string{"secret", secret}))
}

type webhookCreateCmd struct {
	URL         string   `arg:"" help:"Where events are sent to, https."`
	Description string   `help:"What it is for."`
	Type        []string `help:"Type of event, such as room.started, or all of a kind, such as room.*; repeat for several. None: all that are always written."`
}

func (c webhookCreateCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		w, secret, err := a.webhooks.Create(e.ctx, webhook.Settings{URL: c.URL, Description: c.Description, Types: c.Type})
		if err != nil {
			return err
		}
		return e.printSecret(w, secret)
	})
}

type webhookUpdateCmd struct {
	ID          string   `arg:""`
	URL         *string  `name:"url" help:"Where events are sent to."`
	Description *string  `help:"What it is for."`
	Type        []string `help:"Types of events, in place of those before."`
	AllTypes    bool     `help:"All types that are always written."`
	Enable      bool     `help:"Send events again, those that waited too." xor:"enabled"`
	Disable     bool     `help:"Send nothing for now." xor:"enabled"`
}

func (c webhookUpdateCmd) Run(e *env) error {
	ch := webhook.Changes{URL: c.URL, Description: c.Description}
	if c.Type != nil || c.AllTypes {
		types := append([]string{}, c.Type...)
		ch.Types = &types
	}
	if c.Enable || c.Disable {
		ch.Enabled = &c.Enable
	}
	return withApp(e, func(a *app) error {
		w, err := a.webhooks.Update(e.ctx, c.ID, ch)
		if err != nil {
			return err
		}
		return e.printWebhook(w)
	})
}

type webhookRotateCmd struct {
	ID      string        `arg:""`
	Overlap time.Duration `default:"24h" help:"For how long the old secret signs too; 0: it is void at once."`
}

func (c webhookRotateCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		w, secret, err := a.webhooks.Rotate(e.ctx, c.ID, c.Overlap)
		if err != nil {
			return err
		}
		return e.printSecret(w, secret)
	})
}

type webhookDeleteCmd struct {
	ID string `arg:""`
}

func (c webhookDeleteCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		if err := a.webhooks.Delete(e.ctx, c.ID); err != nil {
			return err
		}
		return e.done(gone{}, "webhook %s is deleted", c.ID)
	})
}

type webhookTestCmd struct {
	ID string `arg:""`
}

func (c webhookTestCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		d, err := a.webhooks.Test(e.ctx, c.ID)
		if err != nil {
			return err
		}
		out := stagedoor.ToWebhookDelivery(d)
		return e.print(out, deliveryHeader, [][]string{deliveryRow(out)})
	})
}

type webhookDeliveriesCmd struct {
	ID    string    `arg:""`
	State string    `enum:"pending,delivered,failed," default:"" help:"pending, delivered or failed."`
	Type  string    `help:"Type of event."`
	Event string    `help:"Id of an event."`
	Since time.Time `help:"Those made then or later, such as 2026-01-31T12:00:00Z."`
	Until time.Time `help:"Those made then or earlier."`
	Limit int       `default:"20" help:"How many, at most 1000."`
}

const (
	mostDeliveries = 1000
	deliveryHeader = "ID STATE TYPE EVENT SUBJECT TRIES LAST NEXT CREATED"
)

func (c webhookDeliveriesCmd) Run(e *env) error {
	if c.Limit < 1 || c.Limit > mostDeliveries {
		return errs.InvalidField("limit", "limit is between 1 and 1000")
	}
	return withApp(e, func(a *app) error {
		list, _, err := a.webhooks.Deliveries(e.ctx, c.ID, webhook.Filter{State: c.State, Type: c.Type, EventID: c.Event, Since: c.Since, Until: c.Until, Limit: c.Limit})
		if err != nil {
			return err
		}
		out, rows := make([]gen.WebhookDelivery, len(list)), [][]string{}
		for i, d := range list {
			out[i] = stagedoor.ToWebhookDelivery(d)
			rows = append(rows, deliveryRow(out[i]))
		}
		return e.print(out, deliveryHeader, rows)
	})
}

func deliveryRow(d gen.WebhookDelivery) []string {
	last := "-"
	if n := len(d.Attempts); n > 0 {
		if last = d.Attempts[n-1].Error; last == "" || last == webhook.ErrStatus {
			last = strconv.Itoa(int(d.Attempts[n-1].Status))
		}
	}
	next := "-"
	if d.NextAttemptAt != nil {
		next = d.NextAttemptAt.Format(time.RFC3339)
	}
	return []string{d.ID, string(d.State), d.Type, d.EventID, d.Subject, strconv.Itoa(len(d.Attempts)), last, next, d.CreatedAt.Format(time.RFC3339)}
}

type webhookRetryCmd struct {
	ID       string `arg:""`
	Delivery int64  `arg:"" help:"Id of the delivery."`
}

func (c webhookRetryCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		d, err := a.webhooks.Retry(e.ctx, c.ID, c.Delivery)
		if err != nil {
			return err
		}
		out := stagedoor.ToWebhookDelivery(d)
		return e.print(out, deliveryHeader, [][]string{deliveryRow(out)})
	})
}

type webhookReplayCmd struct {
	ID      string    `arg:""`
	Since   time.Time `required:"" help:"The first moment, such as 2026-01-31T12:00:00Z."`
	Until   time.Time `help:"The moment after the last. Empty: now."`
	Type    []string  `help:"Only these types."`
	Missing bool      `help:"Leave out what has arrived."`
}

// Run goes on until all parts of the time are queued.
func (c webhookReplayCmd) Run(e *env) error {
	return withApp(e, func(a *app) error {
		v := struct {
			Queued int `json:"queued"`
		}{}
		r := webhook.Range{Since: c.Since, Until: c.Until, Types: c.Type, MissingOnly: c.Missing}
		if r.Until.IsZero() {
			r.Until = time.Now()
		}
		for {
			n, next, err := a.webhooks.Replay(e.ctx, c.ID, r)
			if err != nil {
				return err
			}
			v.Queued += n
			if r.After = next; next == "" {
				return e.print(v, "QUEUED", [][]string{{fmt.Sprint(v.Queued)}})
			}
		}
	})
}
