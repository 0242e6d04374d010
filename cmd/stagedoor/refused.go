package main

import (
	"context"
	"net/http"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/refusal"
)

// noteRefusal keeps what the ledger refused, under the id of the media server's
// request.
func (a *app) noteRefusal(ctx context.Context, e media.Event, why media.Reason, brought access.Credential) {
	r := refusal.Refusal{At: time.Now(), RequestID: httpx.RequestID(ctx), Node: e.Node, Action: e.Action, Scene: e.Scene(), Stream: e.Stream,
		ClientID: e.ClientID, Address: e.Address, Protocol: e.Protocol, Reason: why, Subject: brought.Subject}
	r.RuleID, r.KeyID, _ = brought.Signature()
	a.refusals.Note(r)
}

// refuseCaller counts and keeps a callback of nobody knows whom. What it says is
// not read.
func (a *app) refuseCaller(ctx context.Context, _ *http.Request) {
	a.metrics.observeVerdict(media.Event{Action: media.Connecting}, media.Verdict{Reason: media.Unauthenticated})
	a.refusals.Note(refusal.Refusal{At: time.Now(), RequestID: httpx.RequestID(ctx), Action: media.Connecting,
		Address: httpx.ClientAddr(ctx).String(), Reason: media.Unauthenticated})
}
