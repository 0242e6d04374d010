package urlsign

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// qiniuPili are the publishing URLs of Qiniu live, in its two kinds:
//
//	expire=<time>&token=base64url(HMAC-SHA1(<publish key>, <path>?<sorted query>))
//	e=<time>&token=<access key>:base64url(HMAC-SHA1(<secret key>, <path>?<sorted query>))
//
// The second is for a rule whose key_id names an access key. What else is in the
// query is signed too, in the order of ASCII; the token is not.
type qiniuPili struct{ accessKey string }

func newQiniuPili(o Options) (Scheme, error) { return &qiniuPili{o.KeyID}, nil }

func (*qiniuPili) Name() string     { return "qiniu_pili_publish" }
func (*qiniuPili) Strength() string { return compatibility }

func (s *qiniuPili) timeParam() string {
	if s.accessKey != "" {
		return "e"
	}
	return "expire"
}

// token is the value of the parameter.
func (s *qiniuPili) token(secret []byte, text string) string {
	sum := hmacSHA1(secret, text, base64.URLEncoding)
	if s.accessKey != "" {
		return s.accessKey + ":" + sum
	}
	return sum
}

func (s *qiniuPili) AppendQuery(dst []byte, t Target, k Key, o SignOptions) []byte {
	end := s.timeParam() + "=" + strconv.FormatInt(unixSeconds(o.Expires), 10)
	pairs, ok := splitPairs(t.Query, s.unsigned)
	if !ok || len(k.Secret) == 0 || o.BindAddr.IsValid() || !hasPath(&t) {
		return dst
	}
	text := string(appendBare(nil, &t)) + "?" + sorted(append(pairs, end))
	return append(dst, end+"&token="+s.token(k.Secret, text)...)
}

func (*qiniuPili) unsigned(name string) bool { return name == "token" }

func (s *qiniuPili) Verify(query string, t Target, keys []Key, o VerifyOptions) Result {
	sent, text, seconds, status := s.read(query, &t)
	if status != Valid {
		return Result{Status: status}
	}
	if i := findKey(keys, sent, func(secret []byte) string { return s.token(secret, text) }); i >= 0 {
		return genuine(keys[i].ID, seconds, &o)
	}
	return Result{Status: Mismatch}
}

func (s *qiniuPili) Canonical(query string, t Target, o VerifyOptions) Canonical {
	_, text, seconds, status := s.read(query, &t)
	if status != Valid {
		return Canonical{}
	}
	return canonical(text, seconds, &o)
}

// read takes a query without the time for one of somebody else: live tokens
// travel under the same name.
func (s *qiniuPili) read(query string, t *Target) (sent, text string, seconds int64, status Status) {
	digits, status := rawCredential(query, s.timeParam())
	if status != Valid {
		return "", "", 0, status
	}
	if sent, status = credential(query, "token"); status != Valid {
		return "", "", 0, status
	}
	seconds, ok := (&numeral{base: 10, max: maxTime}).parse(digits)
	pairs, few := splitPairs(strings.ReplaceAll(query, "?", "&"), s.unsigned)
	switch {
	case !ok || !few:
		return "", "", 0, Malformed
	case !hasPath(t):
		return "", "", 0, Mismatch
	}
	return sent, string(appendBare(nil, t)) + "?" + sorted(pairs), seconds, Valid
}
