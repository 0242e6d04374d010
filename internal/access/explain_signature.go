package access

import (
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/finding"
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
		x.find("signed_by_revoked_key", "sign_with_active_key", values{"key": kid, "rule": r.place()})
	case x.d.Reason == media.TokenRevoked && res.TokenID != "":
		x.find("signing_token_revoked", "hand_out_new_url", values{"token": res.TokenID})
	case res.Status == urlsign.WrongStream:
		x.find("opens_another_stream", "use_url_of_stream", values{"asked": shownStream(x.e.Stream).String()})
	case res.Status == urlsign.Expired:
		x.explainExpired(out)
	case res.Status == urlsign.WrongScene:
		x.find("signed_to_"+string(otherScene(x.out.Scene)), "use_url_of_scene", values{"scene": string(x.out.Scene)})
	case res.Status == urlsign.WrongAddress && x.out.Address == "":
		x.find("bound_to_an_address", "come_from_address", nil)
	case res.Status == urlsign.WrongAddress:
		x.find("bound_to_another_address", "come_from_address", values{"address": x.out.Address})
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
	return finding.Printable(parts[2])
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
		x.find("key_unknown", "sign_with_key_of_this_rule", values{"key": named, "rule": r.place()})
	case named != "":
		x.find("key_named_but_mismatch", "compare_what_was_signed", values{"key": named, "rule": r.place()})
	default:
		x.find("no_key_made_it", "compare_what_was_signed", values{"rule": r.place()})
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
	if form, ok := shapes[scheme]; ok {
		x.find("signature_shape", "send_signature_whole", values{"scheme": scheme, "form": form})
		return
	}
	x.find("signature_shape", "send_signature_as_printed", values{"scheme": scheme})
}

// explainDigits notices times in another unit or base, which make a value
// that is not of its scheme's shape.
func (x *explaining) explainDigits() bool {
	for _, word := range words(x.e.Query) {
		switch {
		case len(word) == 13 && isDigits(word) && word[0] == '1':
			x.find("time_in_milliseconds", "divide_by_1000", nil)
			return true
		case len(word) == 16 && isDigits(word) && word[0] == '1':
			x.find("time_in_microseconds", "divide_by_1000000", nil)
			return true
		case len(word) == 8 && isHex(word) && !isDigits(word) && (word[0] == '6' || word[0] == '7'):
			x.find("time_in_hexadecimal", "write_decimal_time", nil)
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
	x.find("expired", "sign_new_url", values{"until": s.Expires, "ago": late})
	x.explainTime(s.Time)
	if hours := late.Round(time.Hour); hours >= time.Hour && hours <= 14*time.Hour && (late-hours).Abs() <= 5*time.Minute {
		x.find("whole_hours_off", "write_utc_seconds", values{"hours": int(hours / time.Hour)})
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
		x.find("time_is_a_duration", "write_end_of_url", values{"time": int(at.Unix()), "year": at.UTC().Year()})
	case at.Sub(x.now) > longestAhead:
		x.find("time_far_ahead", "check_unit_of_time", values{"year": at.UTC().Year()})
	case at.Sub(x.now) > 366*24*time.Hour && x.rule.validity() > 0:
		x.find("clock_ahead", "set_clock", values{"ahead": at.Sub(x.now)})
	}
}
