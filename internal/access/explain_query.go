package access

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

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
		x.find("no_rule", "Create a rule (stagedoor rule create --scene "+string(x.out.Scene)+"), use a live token or an account with a right, or set the default policy to open.",
			"No rule for %sing applies to %s, and the default policy is %s.", x.out.Scene, shownStream(x.e.Stream), x.Policy)
		return
	case !x.rule.usable():
		x.find("rule_without_keys", "Add a key: stagedoor rule key add.", "%s has no key that is not revoked.", x.rule.place())
	case !x.rule.enabled:
		x.find("rule_off_for_claimed_host", "Give the media server a vhost of this name, or make the rule one of any domain.",
			"%s is switched off, but it was found by a host name that the client itself claims, which opens nothing.", x.rule.place())
	}
	if strings.Trim(x.e.Query, "?&") == "" {
		x.find("no_query", "Put the signed query behind the stream name, in an encoder at the end of the stream key: stagedoor sign prints such URLs.",
			"There is nothing behind the stream name, and %s asks for a signature.", x.rule.place())
		return
	}
	if x.explainNear() || x.explainForeign() {
		return
	}
	x.find("no_credential_in_query", "Sign the URL for the scheme of the rule: stagedoor sign prints such URLs.",
		"None of the parameters is one that %s or a token has.", x.rule.place())
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
		expected := "a scheme of its own"
		if g := x.rule.mainGroup(); g != nil {
			expected = g.scheme.Name()
		}
		x.find("another_scheme", "Sign for the scheme of the rule, or create the rule with the scheme that the signer has.",
			"The URL has a signature like that of %s, and %s asks for %s.", name, x.rule.place(), expected)
		return true
	}
	return false
}

// explainQuery tells what is odd about the query as a whole.
func (x *explaining) explainQuery() {
	for _, name := range repeated(x.e.Query) {
		if x.d.Reason == media.CredentialConflict {
			x.find("parameter_repeated", "Send each parameter once. Encoders with two fields often send the query of the server URL and that of the stream key.",
				"The parameter %s is there more than once, with different values.", name)
		}
	}
	if strings.Contains(strings.TrimPrefix(x.e.Query, "?"), "?") {
		x.find("second_question_mark", `Write one "?" and put "&" between all parameters.`, `The query has a second "?"; what follows it may be read as part of a value.`)
	}
	if strings.Contains(x.e.Query, "&amp;") && x.d.Reason != media.NoCredential {
		x.find("html_escaped", "Write & between parameters; &amp; belongs into HTML source only.", "The query has &amp; in place of &.")
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
			out = append(out, shown(name))
		}
	}
	return out
}

// maxShown bounds a text of somebody else that is repeated, in bytes.
const maxShown = 1024

// shown makes a text fit for a terminal and a log line.
func shown(s string) string {
	s = s[:min(len(s), maxShown)]
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// shownStream is a stream without what may be a credential: a query whose "?"
// was escaped is part of the name.
func shownStream(st media.Stream) media.Stream {
	for _, p := range []*string{&st.Vhost, &st.App, &st.Name} {
		*p = shown(media.WithoutQuery(*p))
	}
	return st
}

func itoa(n int) string { return fmt.Sprint(n) }
