package access

import (
	"maps"
	"net/url"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// guess is something that a signature might have been made for instead of what
// was asked for: another query (the same one, undamaged), target or rule.
type guess struct {
	text, change string
	args         values
	query        string
	target       urlsign.Target
}

// The bounds of guessing, which costs a hash for each guess and key.
const (
	maxFarRules = 1000
	maxHashes   = 100_000
)

// explainNear tries what people get wrong and says what it finds. It only ever
// says that what the client brought is right for something; what would be right
// for the request it does not tell.
func (x *explaining) explainNear() bool {
	r, budget := x.rule, maxHashes
	t := x.target(r)
	for _, g := range x.guesses(t) {
		if kid, state, ok := r.genuine(g.query, g.target, &budget); ok {
			x.findMade(g.text, g.change, kid, state, g.args)
			return true
		}
	}
	for _, near := range append(x.rulesNear(x.out.Host, x.e.Stream), x.view.someRules(maxFarRules)...) {
		if near == r {
			continue
		}
		if x.explainOtherRule(near, &budget) {
			return true
		}
	}
	return false
}

// findMade tells what a signature was made for, and by which key.
func (x *explaining) findMade(text, change, kid string, state KeyState, args values) {
	all := values{"key": kid}
	maps.Copy(all, args)
	x.find(text, change, all)
	if state == KeyRevoked {
		x.find("made_by_revoked_key", "sign_with_active_key", values{"key": kid})
	}
}

func (x *explaining) explainOtherRule(near *rule, budget *int) bool {
	t := x.target(near)
	t.Scene = signScene(near.scene())
	kid, state, ok := near.genuine(x.e.Query, t, budget)
	switch {
	case !ok:
		return false
	case near.scene() != x.out.Scene:
		x.findMade("signed_with_key_of_other_scene", "sign_with_key_of_scene", kid, state,
			values{"rule": near.place(), "own_rule": x.rule.place(), "other": string(near.scene()), "scene": string(x.out.Scene)})
	default:
		x.findMade("signed_under_another_rule", "sign_with_key_of_rule", kid, state, values{"rule": near.place(), "own_rule": x.rule.place()})
	}
	return true
}

// genuine says whether a key of the rule, revoked or not, made a signature. The
// budget is how many hashes may still be made.
func (r *rule) genuine(query string, t urlsign.Target, budget *int) (kid string, state KeyState, ok bool) {
	o := urlsign.VerifyOptions{IgnoreExpiry: true}
	groups := r.groups()
	for i := range groups {
		g := &groups[i]
		for _, keys := range [][]urlsign.Key{g.verifying(), g.revoked()} {
			if *budget -= len(keys); *budget < 0 || len(keys) == 0 {
				continue
			}
			if res := g.scheme.Verify(query, t, keys, o); res.KeyID != "" {
				return res.KeyID, r.stateOf(res.KeyID), true
			}
		}
	}
	return "", "", false
}

func (x *explaining) guesses(t urlsign.Target) []guess {
	out := x.guessQueries(t)
	out = append(out, x.guessPaths(t)...)
	out = append(out, x.guessNames(t)...)
	return append(out, x.guessHosts(t)...)
}

// guessQueries are what the query was before somebody handled it.
func (x *explaining) guessQueries(t urlsign.Target) (out []guess) {
	query := x.e.Query
	add := func(text, change, changed string) {
		if changed != query {
			out = append(out, guess{text, change, nil, changed, t})
		}
	}
	decoded, err := url.PathUnescape(query)
	if err != nil {
		decoded = query
	}
	add("html_escaped", "write_plain_ampersand", strings.ReplaceAll(query, "&amp;", "&"))
	add("percent_encoded", "send_query_as_signed", decoded)
	add("trailing_characters", "remove_end_of_url", strings.TrimRight(decoded, " \t\r\n\"'/;,.>)"))
	add("upper_case_hash", "write_lower_case_hash", lowerValues(query))
	add("letter_case_of_parameters", "keep_parameter_names", lowerNames(query))
	return out
}

// lowerValues puts the values of a query into lower case, lowerNames its names.
func lowerValues(query string) string {
	return eachPair(query, func(n, v string) (string, string) { return n, strings.ToLower(v) })
}

func lowerNames(query string) string {
	return eachPair(query, func(n, v string) (string, string) { return strings.ToLower(n), v })
}

func eachPair(query string, change func(name, value string) (string, string)) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if name, value = change(name, value); ok {
			name += "=" + value
		}
		pairs[i] = name
	}
	return strings.Join(pairs, "&")
}

// guessPaths are the other formats of the same stream.
func (x *explaining) guessPaths(t urlsign.Target) (out []guess) {
	bare, asked := "/"+t.App+"/"+t.Stream, t.Path
	if asked == "" {
		asked = bare
	}
	for _, path := range []string{bare, bare + ".flv", bare + ".m3u8", bare + ".ts", bare + ".mp4", bare + "/index.m3u8", bare + "/", "/" + t.Stream,
		t.App + "/" + t.Stream, escaped(bare), "/" + t.App} {
		if path == t.Path {
			continue
		}
		u := t
		u.Path = path
		out = append(out, guess{"signed_for_another_path", "sign_the_path_asked_for", values{"path": path, "asked": asked}, x.e.Query, u})
	}
	return out
}

func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// guessNames are the same name in other letters, and other streams.
func (x *explaining) guessNames(t urlsign.Target) (out []guess) {
	asked := "/" + t.App + "/" + t.Stream
	add := func(text, change, app, name string) {
		if app == t.App && name == t.Stream || name == "" {
			return
		}
		u := t
		u.App, u.Stream = app, name
		u.Path = strings.Replace(t.Path, asked, "/"+app+"/"+name, 1)
		out = append(out, guess{text, change, values{"path": "/" + app + "/" + name, "asked": asked}, x.e.Query, u})
	}
	for _, app := range []string{t.App, strings.ToLower(t.App), x.App} {
		for _, name := range []string{t.Stream, strings.ToLower(t.Stream), strings.ToUpper(t.Stream)} {
			add("signed_in_other_letters", "write_same_letters", app, name)
		}
	}
	for _, st := range x.nearby {
		add("signed_for_another_stream", "use_url_of_stream", st.App, st.Name)
	}
	return out
}

// guessHosts matter to schemes that sign the host only.
func (x *explaining) guessHosts(t urlsign.Target) (out []guess) {
	for _, host := range []string{strings.ToLower(x.e.Host), x.PublishHost, x.PlayHost, x.e.Stream.Vhost} {
		if host == "" || host == t.Host {
			continue
		}
		u := t
		u.Host = host
		out = append(out, guess{"signed_for_another_host", "sign_the_host", values{"host": host, "asked": t.Host}, x.e.Query, u})
	}
	return out
}

// rulesNear are the rules that could be meant for a stream, of either scene,
// under any name of the place.
func (s *Service) rulesNear(host string, st media.Stream) []*rule {
	names := []string{host, s.PublishHost, s.PlayHost, st.Vhost}
	var keys []ruleKey
	for _, scene := range []media.Scene{media.Publish, media.Play} {
		for _, app := range []string{st.App, ""} {
			for _, name := range names {
				keys = append(keys, ruleKey{domain: name, app: app, scene: scene}, ruleKey{vhost: name, app: app, scene: scene})
			}
			keys = append(keys, ruleKey{app: app, scene: scene})
		}
	}
	return s.view.rulesAt(keys)
}

// rulesAt returns the rules of some places, each once.
func (v *view) rulesAt(keys []ruleKey) (out []*rule) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	seen := map[*rule]bool{}
	for _, k := range keys {
		if r, ok := v.rules.find(k); ok && !seen[r] {
			seen[r] = true
			out = append(out, r)
		}
	}
	return out
}

// someRules returns any rules, all of them where there are few.
func (v *view) someRules(limit int) (out []*rule) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, r := range v.rules.byID {
		if len(out) == limit {
			break
		}
		out = append(out, r)
	}
	return out
}
