package stagedoor

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/explain"
	"github.com/stagedoor-live/stagedoor/internal/finding"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/refusal"
)

// ExplainURL tells what would happen to a URL.
func (s *Server) ExplainURL(ctx context.Context, req gen.ExplainURLRequestObject) (gen.ExplainURLResponseObject, error) {
	q := explain.Question{URL: req.Body.URL, Scene: media.Scene(req.Body.Scene), Address: req.Body.Address}
	if req.Body.At != nil {
		q.At = *req.Body.At
	}
	a, err := s.Explain.URL(ctx, q)
	if err != nil {
		return nil, err
	}
	return gen.ExplainURL200JSONResponse(ToExplanation(a)), nil
}

// ToExplanation is an explanation as this dialect and the command line show it.
func ToExplanation(a explain.Answer) gen.Explanation {
	out := gen.Explanation{Allowed: a.Allowed, Reason: string(a.Reason), Scene: gen.ExplanationScene(a.Scene), Guess: a.Guess.Text(), GuessCode: string(a.Guess), Stream: a.Stream.String(),
		Protocol: a.Protocol, Host: a.Host, Address: a.Address, At: a.At.UTC(), Findings: make([]gen.Finding, len(a.Findings)), Changes: a.Changes()}
	for i, f := range a.Findings {
		out.Findings[i] = toFinding(f)
	}
	if c := a.Credential; c.Kind != "" {
		out.Credential = &gen.ExplainedCredential{Kind: string(c.Kind), ID: c.ID, Subject: c.Subject}
	}
	if a.Rule != nil {
		out.Rule = toExplainedRule(*a.Rule)
	}
	if a.Signature != nil {
		out.Signature = toExplainedSignature(*a.Signature, a.At)
	}
	if t := a.Token; t != nil {
		out.Token = &gen.ExplainedToken{Kind: string(t.Kind), ID: t.ID, Subject: t.Subject, Verified: t.Verified, Rights: t.Rights,
			IssuedAt: orAbsent(t.IssuedAt), ExpiresAt: orAbsent(t.ExpiresAt), RevokedAt: orAbsent(t.RevokedAt)}
		if t.Stream.Name != "" {
			out.Token.Stream = t.Stream.String()
		}
	}
	return out
}

func toFinding(f finding.Finding) gen.Finding {
	out := gen.Finding{Code: f.Code, Text: f.Text, TextCode: f.TextCode, Change: f.Change, ChangeCode: f.ChangeCode}
	for _, name := range slices.Sorted(maps.Keys(f.Args)) {
		out.Arguments = append(out.Arguments, gen.FindingArgument{Name: name, Value: finding.Wire(f.Args[name])})
	}
	return out
}

func toExplainedRule(r access.ExplainedRule) *gen.ExplainedRule {
	out := &gen.ExplainedRule{ID: strconv.FormatInt(r.ID, 10), Domain: r.Domain, Vhost: r.Vhost, App: r.App, Scene: gen.ExplainedRuleScene(r.Scene),
		Enabled: r.Enabled, Scheme: r.Scheme, Strength: r.Strength, ValiditySeconds: seconds(r.Validity), Takeover: gen.ExplainedRuleTakeover(r.Takeover.Policy),
		TakeoverWindowSeconds: seconds(r.Takeover.Window), Why: r.Why, WhyCode: r.WhyCode, Keys: make([]gen.ExplainedKey, len(r.Keys))}
	for i, k := range r.Keys {
		out.Keys[i] = gen.ExplainedKey{ID: k.ID, State: gen.ExplainedKeyState(k.State), Scheme: k.Scheme}
	}
	return out
}

func toExplainedSignature(g access.ExplainedSignature, at time.Time) *gen.ExplainedSignature {
	out := &gen.ExplainedSignature{Scheme: g.Scheme, Strength: g.Strength, Status: g.Status, KeyID: g.KeyID, KeyState: string(g.KeyState), Signed: g.Signed,
		Time: orAbsent(g.Time), Expires: orAbsent(g.Expires), ValiditySeconds: seconds(g.Validity)}
	if out.Time != nil {
		skew := g.Time.Unix() - at.Unix()
		out.SkewSeconds = &skew
	}
	if out.Expires != nil {
		left := g.Expires.Unix() - at.Unix()
		out.SecondsLeft = &left
	}
	return out
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// orAbsent leaves out the zero time, and one that JSON cannot hold.
func orAbsent(t time.Time) *time.Time {
	if t.IsZero() || t.Year() > 9999 || t.Year() < 1 {
		return nil
	}
	t = t.UTC()
	return &t
}

// ListRefusals returns one page.
func (s *Server) ListRefusals(ctx context.Context, req gen.ListRefusalsRequestObject) (gen.ListRefusalsResponseObject, error) {
	p := req.Params
	limit, _, err := page(p.Limit, "")
	if err != nil {
		return nil, err
	}
	f := refusal.Filter{RequestID: p.RequestID, Stream: p.Stream, Client: p.Client, Reason: media.Reason(p.Reason), After: p.Cursor, Limit: limit}
	if p.Since != nil {
		f.Since = *p.Since
	}
	if p.Until != nil {
		f.Until = *p.Until
	}
	list, next, err := s.Refusals.List(ctx, f)
	if err != nil {
		return nil, err
	}
	return gen.ListRefusals200JSONResponse{Refusals: ToRefusals(list), NextCursor: next}, nil
}

// ToRefusals are refusals as this dialect and the command line show them.
func ToRefusals(list []refusal.Refusal) []gen.Refusal {
	out := make([]gen.Refusal, len(list))
	for i, r := range list {
		out[i] = gen.Refusal{At: r.At.UTC(), RequestID: r.RequestID, Node: r.Node, Action: string(r.Action), Scene: string(r.Scene), Vhost: r.Stream.Vhost,
			App: r.Stream.App, Stream: r.Stream.Name, ClientID: r.ClientID, Address: r.Address, Protocol: r.Protocol, Reason: string(r.Reason),
			KeyID: r.KeyID, Subject: r.Subject, Repeats: r.Repeats, Change: access.Advice(r.Reason)}
		if r.RuleID != 0 {
			out[i].RuleID = strconv.FormatInt(r.RuleID, 10)
		}
	}
	return out
}
