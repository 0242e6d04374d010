package access

import (
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

func (x *explaining) explainSignature() {
	r := x.rule
	if !x.ruled || len(r.groups()) == 0 {
		return
	}
	t, o := x.target(r), urlsign.VerifyOptions{Now: x.now, Validity: r.validity()}
	query := x.e.Query
	res, g := r.verify(query, t, o)
	if other, ok := carried(&x.e); ok && g == nil && r.byStreamTokens() {
		query = other
		res, g = r.verify(query, t, o)
	}
	if g == nil {
		return
	}
	out := &ExplainedSignature{Scheme: g.scheme.Name(), Strength: g.scheme.Strength(), Status: res.Status.String(), KeyID: res.KeyID, Validity: r.validity()}
	x.out.Signature = out
	c := g.scheme.Canonical(query, t, o)
	out.Signed, out.Time, out.Expires = c.Text, c.At, c.Expires
	kid, revoked := "", false
	if res.KeyID == "" {
		if kid, revoked = r.revoked(query, t, o); revoked {
			out.KeyID, out.Status = kid, "valid"
		}
	}
	named := namedKey(x.e.Query)
	if out.KeyID == "" {
		out.KeyID = named
	}
	out.KeyState = r.stateOf(out.KeyID)
	switch {
	case revoked:
		x.find("signed_by_revoked_key", "Sign with the active key: stagedoor sign prints such URLs. Whoever has the revoked one needs new URLs.",
			"The signature is right, and key %s of rule %d, which made it, is revoked.", kid, r.id)
	case x.d.Reason == media.TokenRevoked && res.TokenID != "":
		x.find("token_revoked", "Hand out a new URL: this one was revoked by the id of its token.", "The token %s is genuine and revoked.", shown(res.TokenID))
	case res.Status == urlsign.WrongStream:
		x.find("signed_for_another_stream", "Use the URL of this stream, or ask for the stream that the URL is for.",
			"The signature is genuine and opens another stream than %s.", shownStream(x.e.Stream))
	case res.Status == urlsign.Expired:
		x.explainExpired(out)
	case res.Status == urlsign.WrongScene:
		x.find("signed_to_"+string(otherScene(x.out.Scene)), "Use the URL that was signed to "+string(x.out.Scene)+": one never stands in for the other.",
			"The signature is right, and it is one to %s.", otherScene(x.out.Scene))
	case res.Status == urlsign.WrongAddress:
		x.find("bound_to_another_address", "Let the client come from the address that the URL was signed for, or sign a URL that is bound to none.",
			"The signature is right, and it is bound to another client address than %s.", orUnknown(x.out.Address))
	case res.Status == urlsign.Mismatch || res.Status == urlsign.Malformed:
		x.explainWrong(r, g, res.Status, named)
	}
}

func otherScene(s media.Scene) media.Scene {
	if s == media.Publish {
		return media.Play
	}
	return media.Publish
}

func orUnknown(s string) string {
	if s == "" {
		return "an unknown one"
	}
	return s
}

// target is what a signature under a rule would have to be for.
func (x *explaining) target(r *rule) urlsign.Target {
	t := target(x.out.Scene, &x.e)
	t.Host = x.signedHost(r, x.out.Scene, x.e.Host)
	return t
}

// namedKey is the key id that a value of our own scheme carries openly.
func namedKey(query string) string {
	value, _, _ := urlsign.Param(query, "sd")
	parts := strings.SplitN(value, "-", 4)
	if len(parts) < 4 || len(parts[2]) > 16 {
		return ""
	}
	return shown(parts[2])
}

// explainWrong looks for what the signature was made for, if not for this.
func (x *explaining) explainWrong(r *rule, g *keyGroup, status urlsign.Status, named string) {
	if x.explainNear() {
		return
	}
	if status == urlsign.Malformed {
		x.explainShape(g.scheme.Name())
		return
	}
	x.explainTime(x.out.Signature.Time)
	switch state := r.stateOf(named); {
	case named != "" && state == "":
		x.find("key_unknown", "Sign with a key of this rule; see them with stagedoor rule list. The key may be of another rule or installation.",
			"The URL names key %s, which rule %d does not have.", named, r.id)
	case named != "":
		x.find("key_named_but_mismatch", "Compare what was signed with the text above, byte for byte, and the secret of the key on both sides.",
			"The URL names key %s, which rule %d has; either its secret is another one on the signer's side, or something else was signed.", named, r.id)
	default:
		x.find("no_key_made_it", "Compare what was signed with the text above, byte for byte, and the secret of the key on both sides.",
			"No key of %s made the signature for this, nor any other key of ours for anything near it.", r.place())
	}
}

// shapes are the values that schemes expect, for people.
var shapes = map[string]string{
	"stagedoor":         "sd=<p or v><2 or 1>-<seconds>-<key id>-<22 characters>",
	"aliyun_a":          "auth_key=<seconds>-<rand>-<uid>-<32 hexadecimal digits>",
	"volcengine_a":      "auth_key=<seconds>-<rand>-<uid>-<32 hexadecimal digits>",
	"volcengine_b":      "volcTime=<seconds>&volcSecret=<32 hexadecimal digits>",
	"volcengine_custom": "volcTime=<time>&volcSecret=<32 hexadecimal digits>",
}

func (x *explaining) explainShape(scheme string) {
	if x.explainDigits() {
		return
	}
	shape, ok := shapes[scheme]
	if !ok {
		shape = "the form that stagedoor sign prints for a stream of this rule"
	}
	x.find("signature_shape", "Send the parameters whole and unchanged. The form is "+shape+".", "The parameters are there, but not in the form of %s.", scheme)
}

// explainDigits notices times in another unit or base, which make a value
// that is not of its scheme's shape.
func (x *explaining) explainDigits() bool {
	for _, word := range words(x.e.Query) {
		switch {
		case len(word) == 13 && isDigits(word) && word[0] == '1':
			x.find("time_in_milliseconds", "Write the time in seconds: divide it by 1000.", "The time in the URL has 13 digits, as one in milliseconds has.")
			return true
		case len(word) == 16 && isDigits(word) && word[0] == '1':
			x.find("time_in_microseconds", "Write the time in seconds: divide it by 1000000.", "The time in the URL has 16 digits, as one in microseconds has.")
			return true
		case len(word) == 8 && isHex(word) && !isDigits(word) && (word[0] == '6' || word[0] == '7'):
			x.find("time_in_hexadecimal", "Write the time in the base that the rule asks for, which is ten here.", "The time in the URL seems to be hexadecimal.")
			return true
		}
	}
	return false
}

// words are the runs of letters and digits of a query, as many as any credential
// has.
func words(query string) []string {
	const enough = 64
	all := strings.FieldsFunc(query[:min(len(query), 4096)], func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	return all[:min(len(all), enough)]
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }
func isHex(s string) bool    { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }

func (x *explaining) explainExpired(s *ExplainedSignature) {
	late := x.now.Sub(s.Expires)
	x.find("expired", "Sign a new URL, or give URLs a longer life where this one was meant to be good still.",
		"The signature is right, and was good until %s, %s ago.", instant(s.Expires), ago(late))
	x.explainTime(s.Time)
	if hours := late.Round(time.Hour); hours >= time.Hour && hours <= 14*time.Hour && (late-hours).Abs() <= 5*time.Minute {
		x.find("whole_hours_off", "If the URL was signed just now: write the time as seconds since 1970 in UTC, which no time zone changes, and set the signer's clock.",
			"It is late by nearly %d whole hours, as when a local time was taken for UTC.", int(hours/time.Hour))
	}
}

// The times between which a URL may be signed to end.
const (
	longestAhead = 20 * 365 * 24 * time.Hour
	firstSeconds = 1_000_000_000 // in 2001; what is less was a duration
)

// explainTime notices times that nobody can have meant.
func (x *explaining) explainTime(at time.Time) {
	switch {
	case at.IsZero():
	case at.Unix() < firstSeconds:
		x.find("time_is_a_duration", "Write the moment at which the URL ends, in seconds since 1970, and not for how long it is good.",
			"The time in the URL is %d, which is a moment in %d.", at.Unix(), at.UTC().Year())
	case at.Sub(x.now) > longestAhead:
		x.find("time_far_ahead", "Check the unit and the base of the time: seconds since 1970, decimal unless the rule says otherwise.",
			"The time in the URL is in the year %d.", at.UTC().Year())
	case at.Sub(x.now) > 366*24*time.Hour && x.rule.validity() > 0:
		x.find("clock_ahead", "Set the signer's clock, or check the base of its time.", "The time in the URL is %s ahead of our clock.", ago(at.Sub(x.now)))
	}
}

// instant writes a time for people.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// ago writes a duration for people, in its two largest units.
func ago(d time.Duration) string {
	d = d.Abs()
	switch days := int(d / (24 * time.Hour)); {
	case days >= 3:
		return itoa(days) + " days"
	case d >= time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}
