package urlsign

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

// cloudfront are the signed URLs of Amazon CloudFront with a canned policy:
//
//	Expires=<time>&Signature=<RSA over the policy>&Key-Pair-Id=<id>[&Hash-Algorithm=SHA256]
//
// The policy names one exact URL, its own query included, so that the segments of
// a playlist are not opened by it. The URL ends before the second of its time.
// The key is an RSA key whose id at CloudFront is the option key_id.
type cloudfront struct {
	keyPair string
	hash    crypto.Hash
}

func newCloudFront(o Options) (Scheme, error) {
	s := &cloudfront{keyPair: o.KeyID, hash: crypto.SHA1}
	switch o.Hash {
	case "", "sha1":
	case "sha256":
		s.hash = crypto.SHA256
	default:
		return nil, errors.New("the hash is sha1 or sha256")
	}
	if o.KeyID == "" {
		return nil, errors.New("cloudfront_canned needs key_id, the Key-Pair-Id of the key")
	}
	return s, nil
}

func (*cloudfront) Name() string     { return "cloudfront_canned" }
func (*cloudfront) Strength() string { return compatibility }

// cloudfrontText has the three characters of base64 that a URL would escape in
// other letters.
var cloudfrontText = strings.NewReplacer("+", "-", "=", "_", "/", "~")
var cloudfrontPlain = strings.NewReplacer("-", "+", "_", "=", "~", "/")

// policy is what is signed, without a blank.
func (*cloudfront) policy(t *Target, query string, seconds int64) (string, bool) {
	if !hasWholeURL(t) {
		return "", false
	}
	resource := t.Origin + t.Path
	if query != "" {
		resource += "?" + query
	}
	for _, c := range []byte(resource) {
		if c < ' ' || c == '"' || c == '\\' || c >= 0x7f { // which would have to be escaped
			return "", false
		}
	}
	return `{"Statement":[{"Resource":"` + resource + `","Condition":{"DateLessThan":{"AWS:EpochTime":` + strconv.FormatInt(seconds, 10) + `}}}]}`, true
}

func (s *cloudfront) sum(text string) []byte {
	if s.hash == crypto.SHA256 {
		sum := sha256.Sum256([]byte(text))
		return sum[:]
	}
	sum := sha1.Sum([]byte(text))
	return sum[:]
}

func (s *cloudfront) AppendQuery(dst []byte, t Target, k Key, o SignOptions) []byte {
	seconds := unixSeconds(o.Expires)
	text, ok := s.policy(&t, t.Query, seconds)
	if !ok || k.algorithm() != "RS256" || k.Private == nil || o.BindAddr.IsValid() {
		return dst
	}
	sum, err := k.Private.Sign(nil, s.sum(text), s.hash)
	if err != nil {
		return dst
	}
	dst = strconv.AppendInt(append(dst, "Expires="...), seconds, 10)
	dst = append(append(dst, "&Signature="...), cloudfrontText.Replace(base64.StdEncoding.EncodeToString(sum))...)
	dst = append(append(dst, "&Key-Pair-Id="...), s.keyPair...)
	if s.hash == crypto.SHA256 {
		dst = append(dst, "&Hash-Algorithm=SHA256"...)
	}
	return dst
}

func (s *cloudfront) Verify(query string, t Target, keys []Key, o VerifyOptions) Result {
	sum, text, seconds, status := s.read(query, &t)
	if status != Valid {
		return Result{Status: status}
	}
	for i := range keys {
		public, ok := keys[i].Public.(*rsa.PublicKey)
		if keys[i].Private != nil {
			public, ok = keys[i].Private.Public().(*rsa.PublicKey)
		}
		if ok && rsa.VerifyPKCS1v15(public, s.hash, s.sum(text), sum) == nil {
			return genuine(keys[i].ID, seconds-1, &o)
		}
	}
	return Result{Status: Mismatch}
}

func (s *cloudfront) Canonical(query string, t Target, o VerifyOptions) Canonical {
	_, text, seconds, status := s.read(query, &t)
	if status != Valid {
		return Canonical{}
	}
	return Canonical{Text: printable(text), At: time.Unix(seconds, 0), Expires: time.Unix(lastSecond(seconds-1, &o), 0)}
}

// maxRSA is the longest signature, of a key of 4096 bits, in base64.
const maxRSA = 684

func (s *cloudfront) read(query string, t *Target) (sum []byte, text string, seconds int64, status Status) {
	value, found, conflicting := rawParam(query, "Signature")
	if status = credentialStatus("x", found, conflicting); status != Valid {
		return nil, "", 0, status
	}
	pair, pairStatus := rawCredential(query, "Key-Pair-Id")
	digits, timeStatus := rawCredential(query, "Expires")
	if pairStatus == Repeated || timeStatus == Repeated {
		return nil, "", 0, Repeated
	}
	seconds, ok := (&numeral{base: 10, max: maxTime}).parse(digits)
	sum, err := base64.StdEncoding.DecodeString(cloudfrontPlain.Replace(value[:min(len(value), maxRSA+1)]))
	if pair != s.keyPair || !ok || err != nil || len(value) > maxRSA {
		return nil, "", 0, Malformed
	}
	rest, few := splitPairs(query, func(name string) bool {
		return name == "Expires" || name == "Signature" || name == "Key-Pair-Id" || name == "Hash-Algorithm"
	})
	text, ok = s.policy(t, strings.Join(rest, "&"), seconds)
	if !few || !ok || !json.Valid([]byte(text)) {
		return nil, "", 0, Mismatch
	}
	return sum, text, seconds, Valid
}
