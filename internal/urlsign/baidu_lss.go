package urlsign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// baiduLSS are the publishing URLs of Baidu LSS:
//
//	token=hex(HMAC-SHA-256(<secret>, <URL>;<RFC 3339 time>))&expire=<RFC 3339 time>
//
// The names of the parameters are recalled, not confirmed. Where a server does
// not tell the URL it is taken for rtmp:// with the rule's or client's host.
type baiduLSS struct{}

func newBaiduLSS(Options) (Scheme, error) { return baiduLSS{}, nil }

func (baiduLSS) Name() string     { return "baidu_lss_publish" }
func (baiduLSS) Strength() string { return unconfirmed }

func (baiduLSS) text(t *Target, at string) (string, bool) {
	origin := t.Origin
	if origin == "" {
		origin = "rtmp://" + t.Host
	}
	if !hasPath(t) || len(origin) > maxHost+maxParam {
		return "", false
	}
	return origin + string(appendBare(nil, t)) + ";" + at, true
}

func (baiduLSS) sum(secret []byte, text string) string {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

func (s baiduLSS) AppendQuery(dst []byte, t Target, k Key, o SignOptions) []byte {
	const lastSecondOf9999 = 253402300799
	at := time.Unix(min(unixSeconds(o.Expires), lastSecondOf9999), 0).UTC().Format(time.RFC3339)
	text, ok := s.text(&t, at)
	if !ok || len(k.Secret) == 0 || o.BindAddr.IsValid() {
		return dst
	}
	return append(dst, "token="+s.sum(k.Secret, text)+"&expire="+at...)
}

func (s baiduLSS) Verify(query string, t Target, keys []Key, o VerifyOptions) Result {
	sent, text, at, status := s.read(query, &t)
	if status != Valid {
		return Result{Status: status}
	}
	if i := findKey(keys, sent, func(secret []byte) string { return s.sum(secret, text) }); i >= 0 {
		return genuine(keys[i].ID, at.Unix(), &o)
	}
	return Result{Status: Mismatch}
}

func (s baiduLSS) Canonical(query string, t Target, o VerifyOptions) Canonical {
	_, text, at, status := s.read(query, &t)
	if status != Valid {
		return Canonical{}
	}
	return canonical(text, at.Unix(), &o)
}

// read takes a token without a time for one of somebody else.
func (s baiduLSS) read(query string, t *Target) (sent, text string, at time.Time, status Status) {
	end, status := credential(query, "expire")
	if status != Valid {
		return "", "", at, status
	}
	if sent, status = rawCredential(query, "token"); status != Valid {
		return "", "", at, status
	}
	at, err := time.Parse(time.RFC3339, end)
	if err != nil || at.Unix() < 0 || len(sent) != 2*sha256.Size || !isLowerHex(sent) {
		return "", "", at, Malformed
	}
	text, ok := s.text(t, end)
	if !ok {
		return "", "", at, Mismatch
	}
	return sent, text, at, Valid
}
