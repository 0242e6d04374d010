package stagedoor

import (
	"context"
	"strconv"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/webhook"
)

// ListWebhooks returns one page.
func (s *Server) ListWebhooks(ctx context.Context, req gen.ListWebhooksRequestObject) (gen.ListWebhooksResponseObject, error) {
	limit, after, err := page(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Webhooks.Page(ctx, after, limit+1)
	if err != nil {
		return nil, err
	}
	out := gen.ListWebhooks200JSONResponse{Webhooks: make([]gen.Webhook, min(limit, len(list)))}
	for i := range out.Webhooks {
		out.Webhooks[i] = ToWebhook(list[i])
	}
	if len(list) > limit {
		out.NextCursor = cursor(list[limit-1].ID)
	}
	return out, nil
}

// CreateWebhook adds an endpoint and shows its secret, once.
func (s *Server) CreateWebhook(ctx context.Context, req gen.CreateWebhookRequestObject) (gen.CreateWebhookResponseObject, error) {
	e, secret, err := s.Webhooks.Create(ctx, webhook.Settings{URL: req.Body.URL, Description: req.Body.Description, Types: req.Body.Types})
	if err != nil {
		return nil, err
	}
	return gen.CreateWebhook201JSONResponse{Webhook: ToWebhook(e), Secret: secret}, nil
}

// GetWebhook shows one endpoint.
func (s *Server) GetWebhook(ctx context.Context, req gen.GetWebhookRequestObject) (gen.GetWebhookResponseObject, error) {
	e, err := s.Webhooks.Get(ctx, req.WebhookID)
	if err != nil {
		return nil, err
	}
	return gen.GetWebhook200JSONResponse(ToWebhook(e)), nil
}

// UpdateWebhook changes one endpoint.
func (s *Server) UpdateWebhook(ctx context.Context, req gen.UpdateWebhookRequestObject) (gen.UpdateWebhookResponseObject, error) {
	b := req.Body
	e, err := s.Webhooks.Update(ctx, req.WebhookID, webhook.Changes{URL: b.URL, Description: b.Description, Types: b.Types, Enabled: b.Enabled})
	if err != nil {
		return nil, err
	}
	return gen.UpdateWebhook200JSONResponse(ToWebhook(e)), nil
}

// DeleteWebhook removes one endpoint.
func (s *Server) DeleteWebhook(ctx context.Context, req gen.DeleteWebhookRequestObject) (gen.DeleteWebhookResponseObject, error) {
	if err := s.Webhooks.Delete(ctx, req.WebhookID); err != nil {
		return nil, err
	}
	return gen.DeleteWebhook204Response{}, nil
}

// defaultOverlap is for how long an old secret counts where nothing is said.
const defaultOverlap = 24 * time.Hour

// RotateWebhookSecret gives an endpoint a new secret and shows it, once.
func (s *Server) RotateWebhookSecret(ctx context.Context, req gen.RotateWebhookSecretRequestObject) (gen.RotateWebhookSecretResponseObject, error) {
	overlap := defaultOverlap
	if n := req.Body.OverlapSeconds; n != nil {
		overlap = time.Duration(*n) * time.Second
	}
	e, secret, err := s.Webhooks.Rotate(ctx, req.WebhookID, overlap)
	if err != nil {
		return nil, err
	}
	return gen.RotateWebhookSecret200JSONResponse{Webhook: ToWebhook(e), Secret: secret}, nil
}

// TestWebhook sends a test event.
func (s *Server) TestWebhook(ctx context.Context, req gen.TestWebhookRequestObject) (gen.TestWebhookResponseObject, error) {
	d, err := s.Webhooks.Test(ctx, req.WebhookID)
	if err != nil {
		return nil, err
	}
	return gen.TestWebhook202JSONResponse(ToWebhookDelivery(d)), nil
}

// ListWebhookDeliveries returns one page.
func (s *Server) ListWebhookDeliveries(ctx context.Context, req gen.ListWebhookDeliveriesRequestObject) (gen.ListWebhookDeliveriesResponseObject, error) {
	p := req.Params
	limit, _, err := page(p.Limit, "")
	if err != nil {
		return nil, err
	}
	f := webhook.Filter{Type: p.Type, EventID: p.EventID, After: p.Cursor, Limit: limit}
	if p.State != nil {
		f.State = string(*p.State)
	}
	if p.Since != nil {
		f.Since = *p.Since
	}
	if p.Until != nil {
		f.Until = *p.Until
	}
	list, next, err := s.Webhooks.Deliveries(ctx, req.WebhookID, f)
	if err != nil {
		return nil, err
	}
	out := gen.ListWebhookDeliveries200JSONResponse{Deliveries: make([]gen.WebhookDelivery, len(list)), NextCursor: next}
	for i, d := range list {
		out.Deliveries[i] = ToWebhookDelivery(d)
	}
	return out, nil
}

// RetryWebhookDelivery sends a delivery again.
func (s *Server) RetryWebhookDelivery(ctx context.Context, req gen.RetryWebhookDeliveryRequestObject) (gen.RetryWebhookDeliveryResponseObject, error) {
	id, err := strconv.ParseInt(req.DeliveryID, 10, 64)
	if err != nil {
		return nil, webhook.ErrDeliveryNotFound
	}
	d, err := s.Webhooks.Retry(ctx, req.WebhookID, id)
	if err != nil {
		return nil, err
	}
	return gen.RetryWebhookDelivery202JSONResponse(ToWebhookDelivery(d)), nil
}

var errSince = errs.InvalidField("since", "since is needed")

// ReplayWebhook sends events of a time again.
func (s *Server) ReplayWebhook(ctx context.Context, req gen.ReplayWebhookRequestObject) (gen.ReplayWebhookResponseObject, error) {
	b := req.Body
	if b.Since.IsZero() {
		return nil, errSince
	}
	r := webhook.Range{Since: b.Since, Types: b.Types, MissingOnly: b.MissingOnly, After: b.Cursor}
	if b.Until != nil {
		r.Until = *b.Until
	}
	n, next, err := s.Webhooks.Replay(ctx, req.WebhookID, r)
	if err != nil {
		return nil, err
	}
	return gen.ReplayWebhook202JSONResponse{Queued: int32(n), NextCursor: next}, nil
}

// ToWebhook shows an endpoint in the way of the API.
func ToWebhook(e webhook.Endpoint) gen.Webhook {
	return gen.Webhook{ID: e.ID, URL: e.URL, Description: e.Description, Types: e.Types, Enabled: e.Disabled == nil, DisabledAt: inUTC(e.Disabled),
		DisabledReason: gen.WebhookDisabledReason(e.Reason), HeldUntil: inUTC(e.HeldUntil), FailingSince: inUTC(e.FailingSince),
		OldSecretUntil: inUTC(e.OldSecretUntil), CreatedAt: e.CreatedAt.UTC(), UpdatedAt: e.UpdatedAt.UTC()}
}

// ToWebhookDelivery shows a delivery in the way of the API.
func ToWebhookDelivery(d webhook.Delivery) gen.WebhookDelivery {
	out := gen.WebhookDelivery{ID: strconv.FormatInt(d.ID, 10), EventID: d.EventID, Type: string(d.Type), Subject: d.Subject, Sequence: d.Sequence,
		State: gen.WebhookDeliveryState(d.State), Attempts: make([]gen.WebhookAttempt, len(d.Attempts)), NextAttemptAt: inUTC(d.NextAt),
		CreatedAt: d.CreatedAt.UTC(), FinishedAt: inUTC(d.FinishedAt)}
	for i, a := range d.Attempts {
		out.Attempts[i] = gen.WebhookAttempt{At: a.At, DurationMs: a.Took.Milliseconds(), Status: int32(a.Status), Error: a.Error, Excerpt: a.Excerpt}
	}
	return out
}
