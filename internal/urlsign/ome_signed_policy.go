package urlsign

import (
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// omePolicy is the signed policy of OvenMediaEngine:
//
//	policy=base64url(<JSON>)&signature=base64url(HMAC-SHA1(<secret>, <URL with the policy>))
//
// The URL is signed with its port, which that server completes with the one that
// it listens on: behind a mapping of ports, sign the inner one. What else is in
// the query keeps its place and is signed too. The JSON has url_expire and, where
// asked for, url_activate and allow_ip; times are in milliseconds, and the one in
// url_expire is the last that is good. A stream_expire is looked at when somebody
// comes in, not later: ending a session is up to that server.
//
// Whoever verifies needs the whole URL (Target.Origin and Path), which no other
// server tells.
type omePolicy struct{}

const (
	omePolicyParam    = "policy"
	omeSignatureParam = "signature"
)

func newOMEPolicy(Options) (Scheme, error) { return omePolicy{}, nil }

func (omePolicy) Name() string     { return "ome_signed_policy" }
func (omePolicy) Strength() string { return compatibility }

func (omePolicy) AppendQuery(dst []byte, t Target, k Key, o SignOptions) []byte {
	policy, ok := omeJSON(&o)
	if !ok || len(k.Secret) == 0 || !hasWholeURL(&t) {
		return dst
	}
	param := omePolicyParam + "=" + base64.RawURLEncoding.EncodeToString(policy)
	before := ""
	if t.Query != "" {
		before = t.Query + "&"
	}
	sum := hmacSHA1(k.Secret, withPort(t.Origin)+t.Path+"?"+before+param, base64.RawURLEncoding)
	return append(dst, param+"&"+omeSignatureParam+"="+sum...)
}

// omeJSON writes the policy; that server knows addresses of IPv4 only.
func omeJSON(o *SignOptions) ([]byte, bool) {
	out := []byte{'{'}
	if !o.NotBefore.IsZero() {
		out = append(strconv.AppendInt(append(out, `"url_activate":`...), unixSeconds(o.NotBefore)*1000, 10), ',')
	}
	out = strconv.AppendInt(append(out, `"url_expire":`...), unixSeconds(o.Expires)*1000, 10)
	if addr := plain(o.BindAddr); addr.IsValid() {
		if !addr.Is4() {
			return nil, false
		}
		out = append(out, `,"allow_ip":"`+addr.String()+`/32"`...)
	}
	return append(out, '}'), true
}

// hasWholeURL reports whether t names a URL from its scheme to its path.
func hasWholeURL(t *Target) bool {
	return t.Origin != "" && len(t.Origin) <= maxHost+maxParam && strings.HasPrefix(t.Path, "/") && len(t.Path) <= maxPath
}

// usualPorts are those that a URL without port means to OvenMediaEngine.
var usualPorts = map[string]string{"http": ":80", "ws": ":80", "https": ":443", "wss": ":443", "rtmp": ":1935", "srt": ":9999"}

// withPort completes "rtmp://host".
func withPort(origin string) string {
	protocol, host, _ := strings.Cut(origin, "://")
	if strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		return origin
	}
	return origin + usualPorts[protocol]
}

func (s omePolicy) Verify(query string, t Target, keys []Key, o VerifyOptions) Result {
	p, sent, status := s.read(query)
	if status != Valid {
		return Result{Status: status}
	}
	text, ok := s.text(query, &t)
	if !ok {
		return Result{Status: Mismatch}
	}
	i := findKey(keys, sent, func(secret []byte) string { return hmacSHA1(secret, text, base64.RawURLEncoding) })
	if i < 0 {
		return Result{Status: Mismatch}
	}
	r := Result{Status: Valid, KeyID: keys[i].ID, Expires: p.end(&o)}
	switch {
	case !p.allows(t.Addr):
		r.Status = WrongAddress
	case !o.IgnoreExpiry && p.outside(&o):
		r.Status = Expired
	}
	return r
}

func (s omePolicy) Canonical(query string, t Target, o VerifyOptions) Canonical {
	p, _, status := s.read(query)
	text, ok := s.text(query, &t)
	if status != Valid || !ok {
		return Canonical{}
	}
	return Canonical{Text: printable(text), At: time.UnixMilli(p.Expire), Expires: p.end(&o)}
}

// text is the URL without its signature, in the order of its query.
func (omePolicy) text(query string, t *Target) (string, bool) {
	pairs, ok := splitPairs(query, func(name string) bool { return strings.EqualFold(name, omeSignatureParam) })
	if !ok || !hasWholeURL(t) {
		return "", false
	}
	return withPort(t.Origin) + t.Path + "?" + strings.Join(pairs, "&"), true
}

// policyClaims are what a policy says.
type policyClaims struct {
	Expire       int64  `json:"url_expire"`
	Activate     int64  `json:"url_activate"`
	StreamExpire int64  `json:"stream_expire"`
	AllowIP      string `json:"allow_ip"`
	RealIP       string `json:"real_ip"`
}

func (omePolicy) read(query string) (p policyClaims, sent string, status Status) {
	sent, status = rawCredential(query, omeSignatureParam)
	text, policy := rawCredential(query, omePolicyParam)
	switch {
	case policy != Valid:
		return p, "", policy
	case status == Absent:
		return p, "", Malformed
	case status != Valid:
		return p, "", status
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || json.Unmarshal(raw, &p) != nil || p.Expire <= 0 || p.Expire > maxTime*1000 {
		return p, "", Malformed
	}
	return p, strings.TrimRight(sent, "="), Valid
}

// end is the last second in which the policy is good.
func (p *policyClaims) end(o *VerifyOptions) time.Time {
	return time.Unix(lastSecond(p.Expire/1000, o), 0)
}

func (p *policyClaims) outside(o *VerifyOptions) bool {
	now, grace := o.Now.UnixMilli(), int64(o.Validity/time.Millisecond)
	return now > p.Expire+grace || now < p.Activate || p.StreamExpire > 0 && now > p.StreamExpire
}

// allows reports whether an address is in every network that is named.
func (p *policyClaims) allows(addr netip.Addr) bool {
	for _, network := range []string{p.AllowIP, p.RealIP} {
		if network == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(network)
		if err != nil || !prefix.Contains(plain(addr)) {
			return false
		}
	}
	return true
}
