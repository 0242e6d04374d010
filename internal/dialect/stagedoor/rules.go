package stagedoor

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// ListRules returns one page.
func (s *Server) ListRules(ctx context.Context, req gen.ListRulesRequestObject) (gen.ListRulesResponseObject, error) {
	p := req.Params
	limit, after, err := page(p.Limit, p.Cursor)
	if err != nil {
		return nil, err
	}
	f := access.RuleSearch{Text: p.Text, Limit: limit + 1}
	if p.Scene != nil {
		if f.Scene = media.Scene(*p.Scene); f.Scene != media.Publish && f.Scene != media.Play {
			return nil, errs.InvalidField("scene", "scene is publish or play")
		}
	}
	if after != "" {
		if f.After, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, errCursor.With(err)
		}
	}
	rules, err := s.Access.RulePage(ctx, f)
	if err != nil {
		return nil, err
	}
	out := gen.ListRules200JSONResponse{Rules: make([]gen.Rule, min(limit, len(rules)))}
	for i := range out.Rules {
		out.Rules[i] = ToRule(s.Access, rules[i])
	}
	if len(rules) > limit {
		out.NextCursor = cursor(strconv.FormatInt(rules[limit-1].ID, 10))
	}
	return out, nil
}

// CreateRule adds a rule and shows the secret of its key, once, if it made one.
func (s *Server) CreateRule(ctx context.Context, req gen.CreateRuleRequestObject) (gen.CreateRuleResponseObject, error) {
	b := req.Body
	options, err := urlsign.ParseOptions(b.Options)
	if err != nil {
		return nil, errs.InvalidField("options", err.Error())
	}
	r, err := s.Access.CreateRule(ctx, access.NewRule{Domain: b.Domain, Vhost: b.Vhost, App: b.App, Scene: media.Scene(b.Scene), Scheme: b.Scheme, Options: options,
		Disabled: b.Disabled, Validity: fromSeconds(b.ValiditySeconds), Takeover: toTakeover(string(b.Takeover), b.TakeoverWindowSeconds), Secret: b.Secret})
	if err != nil {
		return nil, err
	}
	return gen.CreateRule201JSONResponse(ToRule(s.Access, r)), nil
}

// GetRule shows one rule.
func (s *Server) GetRule(ctx context.Context, req gen.GetRuleRequestObject) (gen.GetRuleResponseObject, error) {
	r, err := s.Access.Rule(ctx, idOf(req.RuleID))
	if err != nil {
		return nil, err
	}
	return gen.GetRule200JSONResponse(ToRule(s.Access, r)), nil
}

// UpdateRule changes one rule.
func (s *Server) UpdateRule(ctx context.Context, req gen.UpdateRuleRequestObject) (gen.UpdateRuleResponseObject, error) {
	ch, err := toRuleChanges(*req.Body)
	if err != nil {
		return nil, err
	}
	r, err := s.Access.ChangeRule(ctx, idOf(req.RuleID), ch)
	if err != nil {
		return nil, err
	}
	return gen.UpdateRule200JSONResponse(ToRule(s.Access, r)), nil
}

var errNoTakeover = errs.InvalidField("takeover_window_seconds", "takeover_window_seconds goes with a takeover of resume")

func toRuleChanges(b gen.RuleUpdate) (ch access.RuleChanges, err error) {
	ch.Enabled = b.Enabled
	if b.ValiditySeconds != nil {
		v := fromSeconds(*b.ValiditySeconds)
		ch.Validity = &v
	}
	switch {
	case b.Takeover != nil && b.TakeoverWindowSeconds != nil:
		t := toTakeover(string(*b.Takeover), *b.TakeoverWindowSeconds)
		ch.Takeover = &t
	case b.Takeover != nil:
		t := toTakeover(string(*b.Takeover), 0)
		ch.Takeover = &t
	case b.TakeoverWindowSeconds != nil:
		return ch, errNoTakeover
	}
	return ch, nil
}

// DeleteRule removes one rule.
func (s *Server) DeleteRule(ctx context.Context, req gen.DeleteRuleRequestObject) (gen.DeleteRuleResponseObject, error) {
	if err := s.Access.DeleteRule(ctx, idOf(req.RuleID)); err != nil {
		return nil, err
	}
	return gen.DeleteRule204Response{}, nil
}

// CreateRuleKey adds a key and shows its secret, once, if it made one.
func (s *Server) CreateRuleKey(ctx context.Context, req gen.CreateRuleKeyRequestObject) (gen.CreateRuleKeyResponseObject, error) {
	id := idOf(req.RuleID)
	k, err := s.Access.AddKey(ctx, id, req.Body.Secret, req.Body.Activate)
	if err != nil {
		return nil, err
	}
	return gen.CreateRuleKey201JSONResponse(ToRuleKey(s.Access, access.Rule{ID: id}, k)), nil
}

// ActivateRuleKey signs with a key from now on.
func (s *Server) ActivateRuleKey(ctx context.Context, req gen.ActivateRuleKeyRequestObject) (gen.ActivateRuleKeyResponseObject, error) {
	r, err := s.moveKey(ctx, req.RuleID, req.KeyID, access.KeyActive)
	if err != nil {
		return nil, err
	}
	return gen.ActivateRuleKey200JSONResponse(r), nil
}

// RetireRuleKey signs with a key no more.
func (s *Server) RetireRuleKey(ctx context.Context, req gen.RetireRuleKeyRequestObject) (gen.RetireRuleKeyResponseObject, error) {
	r, err := s.moveKey(ctx, req.RuleID, req.KeyID, access.KeyRetiring)
	if err != nil {
		return nil, err
	}
	return gen.RetireRuleKey200JSONResponse(r), nil
}

// RevokeRuleKey refuses what a key has signed.
func (s *Server) RevokeRuleKey(ctx context.Context, req gen.RevokeRuleKeyRequestObject) (gen.RevokeRuleKeyResponseObject, error) {
	r, err := s.moveKey(ctx, req.RuleID, req.KeyID, access.KeyRevoked)
	if err != nil {
		return nil, err
	}
	return gen.RevokeRuleKey200JSONResponse(r), nil
}

func (s *Server) moveKey(ctx context.Context, rule, key string, to access.KeyState) (gen.Rule, error) {
	id := idOf(rule)
	if err := s.Access.SetKeyState(ctx, id, key, to); err != nil {
		return gen.Rule{}, err
	}
	r, err := s.Access.Rule(ctx, id)
	return ToRule(s.Access, r), err
}

// ToRule is a rule as it is shown, with what a judges of its keys.
func ToRule(a *access.Service, r access.Rule) gen.Rule {
	out := gen.Rule{ID: strconv.FormatInt(r.ID, 10), Domain: r.Domain, Vhost: r.Vhost, App: r.App, Scene: gen.RuleScene(r.Scene), Scheme: r.Scheme,
		Strength: gen.RuleStrength(r.Strength), Options: r.Options.Chosen(), Enabled: r.Enabled, ValiditySeconds: seconds(r.Validity),
		Takeover: gen.RuleTakeover(r.Takeover.Policy), TakeoverWindowSeconds: seconds(r.Takeover.Window), CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
		Keys: make([]gen.RuleKey, len(r.Keys))}
	for i, k := range r.Keys {
		out.Keys[i] = ToRuleKey(a, r, k)
	}
	return out
}

// ToRuleKey is a key of r as it is shown.
func ToRuleKey(a *access.Service, r access.Rule, k access.Key) gen.RuleKey {
	judged := a.Rotation(r, k)
	out := gen.RuleKey{ID: k.ID, State: gen.RuleKeyState(k.State), Scheme: k.Scheme, CreatedAt: k.CreatedAt.UTC(), ChangedAt: k.ChangedAt.UTC(),
		LastUsedAt: utc(k.LastUsed), SafeToRetire: judged.Safe, Why: judged.Why, Secret: k.Secret}
	if k.Scheme != "" {
		out.Options = k.Options.Chosen()
	}
	return out
}

func toTakeover(policy string, window int64) access.Takeover {
	return access.Takeover{Policy: access.TakeoverPolicy(policy), Window: fromSeconds(window)}
}

// fromSeconds keeps what is too long for a Duration too long for everything.
func fromSeconds(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Second)
	return time.Duration(min(max(n, -most), most)) * time.Second
}

// idOf is the id of nothing where the text is none.
func idOf(text string) int64 {
	id, _ := strconv.ParseInt(text, 10, 64)
	return id
}

// ListBans returns one page.
func (s *Server) ListBans(ctx context.Context, req gen.ListBansRequestObject) (gen.ListBansResponseObject, error) {
	limit, _, err := page(req.Params.Limit, "")
	if err != nil {
		return nil, err
	}
	after, ok := parsePlace(req.Params.Cursor)
	if !ok {
		return nil, errCursor
	}
	bans, places, err := s.Access.BanPage(ctx, req.Params.Stream, after, limit+1)
	if err != nil {
		return nil, err
	}
	out := gen.ListBans200JSONResponse{Bans: make([]gen.Ban, min(limit, len(bans)))}
	for i := range out.Bans {
		out.Bans[i] = ToBan(bans[i])
	}
	if len(bans) > limit {
		out.NextCursor = placeCursor(places[limit-1])
	}
	return out, nil
}

// ToBan is a ban as this dialect and the command line show it.
func ToBan(b access.Ban) gen.Ban {
	return gen.Ban{Vhost: b.Vhost, Domain: b.Domain, App: b.App, Stream: b.Stream, CreatedAt: b.CreatedAt.UTC(), Until: b.Until.UTC(), Active: b.Active}
}

// CreateBan bans a stream.
func (s *Server) CreateBan(ctx context.Context, req gen.CreateBanRequestObject) (gen.CreateBanResponseObject, error) {
	b := req.Body
	err := s.Access.Forbid(ctx, access.Ban{Vhost: vhostOr(b.Vhost, b.Domain), Domain: b.Domain, App: b.App, Stream: b.Stream, Until: timeOf(b.Until)})
	if err != nil {
		return nil, err
	}
	return gen.CreateBan204Response{}, nil
}

// DeleteBan lifts a ban.
func (s *Server) DeleteBan(ctx context.Context, req gen.DeleteBanRequestObject) (gen.DeleteBanResponseObject, error) {
	p := req.Params
	if err := s.Access.Resume(ctx, vhostOr(p.Vhost, p.Domain), p.Domain, p.App, p.Stream); err != nil {
		return nil, err
	}
	return gen.DeleteBan204Response{}, nil
}

func vhostOr(vhost, domain string) string {
	if vhost == "" && domain == "" {
		return media.DefaultVhost
	}
	return vhost
}

func placeCursor(p access.BanPlace) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(p.At.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(b, uint64(p.ID)))
}

func parsePlace(text string) (p access.BanPlace, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 16 {
		return p, text == ""
	}
	p = access.BanPlace{At: time.UnixMicro(int64(binary.BigEndian.Uint64(b))), ID: int64(binary.BigEndian.Uint64(b[8:]))}
	return p, p.At.Year() > 0 && p.At.Year() < 9999
}
