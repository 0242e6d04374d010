package stagedoor

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/refusal"
	"github.com/stagedoor-live/stagedoor/internal/webhook"
)

// overview reads one that is made now.
func (b *bench) overview(t *testing.T) (o gen.Overview) {
	t.Helper()
	b.clock.advance(3 * time.Second)
	if err := json.Unmarshal(b.send(t, ask("GET", "/api/v1/overview", b.admin)).want(t, http.StatusOK, "").Body, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func codes(o gen.Overview) (all []gen.ConcernCode) {
	for _, c := range o.Concerns {
		all = append(all, c.Code)
	}
	return all
}

func TestAnOverviewTellsWhatNeedsSomebody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.defaultRules(t)
	if o := b.overview(t); !o.Ready || len(o.Concerns) != 0 || o.OnAir.Rooms != 0 || o.Nodes.Seen || o.Refusals.Total != 0 {
		t.Fatalf("of nothing: %+v", o)
	}

	b.send(t, newNode(b.admin, `{"name":"edge1","kind":"srs"}`)).want(t, http.StatusCreated, "")
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO node_health (node, state, server_id, error, checked_at, changed_at, streams, clients)
		VALUES ('edge1', 'unreachable', '', 'connection refused', $1, $1, 0, 0)`, b.clock.now()); err != nil {
		t.Fatal(err)
	}
	hook, _, err := b.webhooks.Create(t.Context(), webhook.Settings{URL: "https://hooks.example.com/x"})
	if err != nil {
		t.Fatal(err)
	}
	off := false
	if _, err := b.webhooks.Update(t.Context(), hook.ID, webhook.Changes{Enabled: &off}); err != nil {
		t.Fatal(err)
	}
	b.retireKey(t)
	for _, reason := range []media.Reason{media.SignatureExpired, media.NoCredential, media.SignatureExpired} {
		b.refusals.Note(refusal.Refusal{At: b.clock.now(), Scene: media.Publish, Stream: media.Stream{App: "live", Name: string(reason)}, Reason: reason})
	}
	if err := b.refusals.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.notReady = errs.New(errs.Unavailable, "draining", "shutting down")

	o := b.overview(t)
	if want := []gen.ConcernCode{gen.ConcernCodeNotReady, gen.ConcernCodeNodeUnreachable, gen.ConcernCodeWebhookDisabled, gen.ConcernCodeKeyRetirable}; !slices.Equal(codes(o), want) || o.Ready {
		t.Errorf("concerns %+v, want %v", o.Concerns, want)
	}
	if c := o.Concerns[1]; c.Subject != "edge1" || c.Detail != "connection refused" || c.Since == nil {
		t.Errorf("the node: %+v", c)
	}
	if r := o.Refusals; r.Total != 3 || r.More || len(r.Reasons) != 2 || r.Reasons[0] != (gen.ReasonCount{Reason: "signature_expired", Count: 2}) {
		t.Errorf("refusals %+v", r)
	}
	b.clock.advance(2 * time.Hour)
	if r := b.overview(t).Refusals; r.Total != 0 {
		t.Errorf("hours later: %+v", r)
	}
}

// retireKey leaves a key that nobody needs any more.
func (b *bench) retireKey(t *testing.T) {
	t.Helper()
	r, err := b.access.CreateRule(t.Context(), access.NewRule{Domain: "old.example.com", Scene: media.Play})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.access.AddKey(t.Context(), r.ID, "", true); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), `UPDATE signing_keys SET changed_at = changed_at - interval '60 days' WHERE state = 'retiring'`); err != nil {
		t.Fatal(err)
	}
}

func TestAnOverviewWithoutADatabaseSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.overview(t)
	b.clock.advance(3 * time.Second)
	b.pool.Close()
	o := toOverview(b.overviews.Get(t.Context()))
	if o.OnAir != nil || o.Nodes != nil || !slices.Equal(codes(o), []gen.ConcernCode{gen.ConcernCodeDatabaseUnavailable}) {
		t.Errorf("%+v", o)
	}
}

func TestAnOverviewTellsThatWhatIsKnownIsOld(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.defaultRules(t)
	old := 10 * time.Second
	b.overviews.Staleness = func() time.Duration { return old }
	if o := b.overview(t); len(o.Concerns) != 0 {
		t.Errorf("after %v: %+v", old, o.Concerns)
	}
	old = time.Minute
	o := b.overview(t)
	if !o.Ready || !slices.Equal(codes(o), []gen.ConcernCode{gen.ConcernCodeViewStale}) {
		t.Fatalf("after %v: %+v", old, o)
	}
	if c := o.Concerns[0]; c.Severity != gen.ConcernSeverityWarning || c.Since == nil || o.At.Sub(*c.Since).Round(time.Second) != old {
		t.Errorf("%+v at %v", c, o.At)
	}
}

func TestAnOverviewIsMadeOnceForAllWhoAsk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.overview(t)
	b.send(t, newNode(b.admin, `{"name":"edge1","kind":"srs"}`)).want(t, http.StatusCreated, "")
	var again gen.Overview
	if err := json.Unmarshal(b.send(t, ask("GET", "/api/v1/overview", b.admin)).want(t, http.StatusOK, "").Body, &again); err != nil {
		t.Fatal(err)
	}
	if !again.At.Equal(first.At) || again.Nodes.Total != first.Nodes.Total {
		t.Errorf("within a moment: %+v after %+v", again, first)
	}
	if o := b.overview(t); o.Nodes.Total != first.Nodes.Total+1 {
		t.Errorf("later: %+v", o.Nodes)
	}
	b.bad(t, ask("GET", "/api/v1/overview", b.alice)).want(t, http.StatusForbidden, "admin_only")
}
