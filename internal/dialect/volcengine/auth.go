package volcengine

import (
	"context"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// The bounds of a rule. The older version knows no URL that ends at once.
const (
	maxDetails       = 100
	minValidity2020  = 60
	maxValidity      = 2592000
	usualValidity    = 604800
	maxSecret        = 100
	base             = 10
	maxEncryptFields = 16
)

// describeAuth shows the rules that are stored for a vhost or domain.
func (s *Server) describeAuth(ctx context.Context, c *call, in gen.DescribeAuthRequest) (any, error) {
	f, err := ruleFilter(c, in)
	if err != nil {
		return nil, err
	}
	found, err := s.Rules.RevealRules(ctx, f)
	if err != nil {
		return nil, err
	}
	out := gen.DescribeAuthResult{AuthList: make([]gen.AuthEntry, len(found))}
	for i, r := range found {
		out.AuthList[i] = toEntry(r, c.newer)
	}
	return out, nil
}

func ruleFilter(c *call, in gen.DescribeAuthRequest) (f access.RuleFilter, err error) {
	where, err := placeOf(in.Vhost, in.Domain)
	if err != nil {
		return f, err
	}
	if err := appAndStream(in.App, ""); err != nil {
		return f, err
	}
	if in.SceneType != "" || c.newer {
		if f.Scene, err = sceneOf(in.SceneType); err != nil {
			return f, err
		}
	}
	f.Vhost, f.Domain = &where.vhost, &where.domain
	if in.App != "" {
		f.App = &in.App
	}
	return f, nil
}

func toEntry(r access.RevealedRule, newer bool) gen.AuthEntry {
	out := gen.AuthEntry{Vhost: r.Vhost, Domain: r.Domain, App: r.App, SceneType: gen.AuthEntrySceneType(sceneText(r.Scene)),
		AuthStatus: r.Enabled, ValidDuration: int64(r.Validity / time.Second), AuthDetailList: make([]gen.AuthDetail, len(r.Keys))}
	if newer {
		out.TimeStampBase = int32(r.TimeBase)
	}
	for i, k := range r.Keys {
		out.AuthDetailList[i] = toDetail(k, newer)
	}
	return out
}

// updateAuthKey writes a rule whole. Nothing of what was there before stays but,
// where the request does not say, whether it is on.
func (s *Server) updateAuthKey(ctx context.Context, c *call, in gen.UpdateAuthKeyRequest) (any, error) {
	rule, err := toRule(in, c.newer)
	if err != nil {
		return nil, err
	}
	_, err = s.Rules.WriteRule(ctx, rule)
	return nil, err
}

func toRule(in gen.UpdateAuthKeyRequest, newer bool) (r access.WholeRule, err error) {
	where, err := placeOf(in.Vhost, in.Domain)
	if err != nil {
		return r, err
	}
	if err := appAndStream(in.App, ""); err != nil {
		return r, err
	}
	r = access.WholeRule{Vhost: where.vhost, Domain: where.domain, App: in.App, Enabled: in.PushPullEnable, TimeBase: base}
	if r.Scene, err = sceneOf(string(in.SceneType)); err != nil {
		return r, err
	}
	switch n := len(in.AuthDetailList); {
	case n == 0:
		return r, bindError("AuthDetailList is required")
	case n > maxDetails:
		return r, errs.InvalidField("auth_detail_list", "AuthDetailList has at most 100 entries")
	}
	if newer {
		if err := newerDefaults(&r, in); err != nil {
			return r, err
		}
	}
	if r.Validity, err = validity(in, newer); err != nil {
		return r, err
	}
	for _, d := range in.AuthDetailList {
		key, err := toKey(d, r.Scene, newer)
		if err != nil {
			return r, err
		}
		r.Keys = append(r.Keys, key)
	}
	return r, nil
}

// newerDefaults is what Version 2023-01-01 knows beyond the older one: a rule is
// off unless it says otherwise, and times may have another base.
func newerDefaults(r *access.WholeRule, in gen.UpdateAuthKeyRequest) error {
	if r.Enabled == nil {
		off := false
		r.Enabled = &off
	}
	switch in.TimeStampBase {
	case 0:
		return nil
	case 2, 8, 10, 16:
		r.TimeBase = int(in.TimeStampBase)
	default:
		return errs.InvalidField("time_stamp_base", "TimeStampBase is 2, 8, 10 or 16")
	}
	if r.Scene == media.Publish && r.TimeBase != base {
		return errs.InvalidField("time_stamp_base", "TimeStampBase of push URLs is 10")
	}
	return nil
}

// validity reads ValidDuration. The latest edition of the newer version, which
// names an AuthType for each key, lets URLs end at once unless told otherwise.
func validity(in gen.UpdateAuthKeyRequest, newer bool) (time.Duration, error) {
	least, usual := int32(minValidity2020), int32(usualValidity)
	if newer {
		least = 0
		for _, d := range in.AuthDetailList {
			if d.AuthType != "" {
				usual = 0
			}
		}
	}
	seconds := usual
	if in.ValidDuration != nil {
		seconds = *in.ValidDuration
	}
	if seconds < least || seconds > maxValidity {
		if newer {
			return 0, errs.InvalidField("valid_duration", "ValidDuration is between 0 and 2592000 seconds")
		}
		return 0, errs.InvalidField("valid_duration", "ValidDuration is between 60 and 2592000 seconds")
	}
	return time.Duration(seconds) * time.Second, nil
}

func (s *Server) enableAuth(ctx context.Context, c *call, in gen.SwitchAuthRequest) (any, error) {
	return s.switchAuth(ctx, in, true)
}

func (s *Server) disableAuth(ctx context.Context, c *call, in gen.SwitchAuthRequest) (any, error) {
	return s.switchAuth(ctx, in, false)
}

func (s *Server) switchAuth(ctx context.Context, in gen.SwitchAuthRequest, on bool) (any, error) {
	where, err := placeOf(in.Vhost, in.Domain)
	if err != nil {
		return nil, err
	}
	if err := appAndStream(in.App, ""); err != nil {
		return nil, err
	}
	scene, err := sceneOf(string(in.SceneType))
	if err != nil {
		return nil, err
	}
	_, err = s.Rules.EnableRule(ctx, where.domain, where.vhost, in.App, scene, on)
	return nil, err
}
