package access

import (
	"slices"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/finding"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// explainAbsence tells why nothing was found that could have opened the door, and
// why it was not open.
func (x *explaining) explainAbsence() {
	if x.d.Reason != media.NoCredential {
		return
	}
	switch {
	case !x.ruled:
		x.find("no_rule", "create_rule", values{"scene": string(x.out.Scene), "asked": shownStream(x.e.Stream).String(), "policy": string(x.Policy)})
		return
	case !x.rule.usable():
		x.find("rule_without_keys", "add_key", values{"rule": x.rule.place()})
	case !x.rule.enabled:
		x.find("rule_off_for_claimed_host", "give_server_a_vhost", values{"rule": x.rule.place()})
	}
	if strings.Trim(x.e.Query, "?&") == "" {
		x.find("no_query", "add_signed_query", values{"rule": x.rule.place()})
		return
	}
	if x.explainNear() || x.explainForeign() {
		return
	}
	x.find("no_credential_in_query", "sign_for_scheme", values{"rule": x.rule.place()})
}

// usable says whether a rule could admit anybody.
func (r *rule) usable() bool {
	return slices.ContainsFunc(r.groups(), func(g keyGroup) bool { return len(g.verifying()) > 0 })
}

// explainForeign recognises parameters of a scheme that the rule does not have.
func (x *explaining) explainForeign() bool {
	for _, name := range urlsign.Names() {
		scheme, ok := urlsign.Lookup(name)
		if !ok || scheme.Verify(x.e.Query, x.target(x.rule), nil, urlsign.VerifyOptions{Now: x.now}).Status == urlsign.Absent {
			continue
		}
		if g := x.rule.mainGroup(); g != nil {
			x.find("another_scheme", "match_schemes", values{"scheme": name, "rule": x.rule.place(), "expected": g.scheme.Name()})
			return true
		}
		x.find("another_scheme_than_any", "match_schemes", values{"scheme": name, "rule": x.rule.place()})
		return true
	}
	return false
}

// explainQuery tells what is odd about the query as a whole.
func (x *explaining) explainQuery() {
	for _, name := range repeated(x.e.Query) {
		if x.d.Reason == media.CredentialConflict {
			x.find("parameter_repeated", "send_parameters_once", values{"parameter": name})
		}
	}
	if strings.Contains(strings.TrimPrefix(x.e.Query, "?"), "?") {
		x.find("second_question_mark", "write_one_question_mark", nil)
	}
	if strings.Contains(x.e.Query, "&amp;") && x.d.Reason != media.NoCredential {
		x.find("html_escaped_query", "write_plain_ampersand", nil)
	}
}

// repeated returns the names of a query that have several different values. Who
// sends a thousand parameters learns of the first few.
func repeated(query string) (out []string) {
	const enough = 8
	seen := map[string]bool{}
	for _, pair := range strings.FieldsFunc(query[:min(len(query), 4096)], func(r rune) bool { return r == '&' || r == '?' }) {
		name, _, _ := strings.Cut(pair, "=")
		if seen[name] || len(out) == enough {
			continue
		}
		seen[name] = true
		if _, _, conflict := urlsign.Param(query, name); conflict {
			out = append(out, finding.Printable(name))
		}
	}
	return out
}

// shownStream is a stream without what may be a credential: a query whose "?"
// was escaped is part of the name.
func shownStream(st media.Stream) media.Stream {
	for _, p := range []*string{&st.Vhost, &st.App, &st.Name} {
		*p = finding.Printable(media.WithoutQuery(*p))
	}
	return st
}
