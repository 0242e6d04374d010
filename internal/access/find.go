package access

import "github.com/stagedoor-live/stagedoor/internal/media"

// ruleFor finds the most specific rule: domain before vhost before any, and at
// each of them the app before any app. Aliases are other names of st's vhost,
// which come before its own.
func (v *view) ruleFor(scene media.Scene, host string, st media.Stream, aliases ...string) (*rule, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, k := range [...]ruleKey{
		{domain: host, app: st.App}, {domain: host},
		{domain: st.Vhost, app: st.App}, {domain: st.Vhost},
	} {
		k.scene = scene
		if r, ok := v.rules.find(k); ok {
			return r, true
		}
	}
	if r, ok := v.vhostRule(scene, st, aliases); ok {
		return r, true
	}
	for _, k := range [...]ruleKey{{app: st.App}, {}} {
		k.scene = scene
		if r, ok := v.rules.find(k); ok {
			return r, true
		}
	}
	return nil, false
}

func (v *view) vhostRule(scene media.Scene, st media.Stream, aliases []string) (*rule, bool) {
	if v.rules.vhosts == 0 {
		return nil, false
	}
	for i := range len(aliases) + 1 {
		vhost := st.Vhost
		if i < len(aliases) {
			vhost = aliases[i]
		}
		for _, app := range [...]string{st.App, ""} {
			if r, ok := v.rules.find(ruleKey{vhost: vhost, app: app, scene: scene}); ok && vhost != "" {
				return r, true
			}
		}
	}
	return nil, false
}
