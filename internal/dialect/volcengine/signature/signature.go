// Package signature verifies requests that the cloud vendor's SDKs have signed
// with an access key: HMAC-SHA256 over a canonical form of the request, in the
// Authorization header or, for URLs that are handed on, in the query.
//
// It is pure: the caller brings the request as it came over the wire, the time
// and the secret. The work is in three steps, so that a request which cannot be
// right costs neither a look-up nor the reading of its body:
//
//	claim, err := signature.Parse(req)  // who says so, and when
//	err = claim.CheckTime(now)          // neither too old nor too early
//	query, ok := claim.Verify(secret, body)
//
// Query is what the signature covers, and nothing else of the query may be
// believed.
package signature

import (
	"errors"
	"net/textproto"
	"net/url"
	"time"
)

// Request is a request as it came over the wire.
type Request struct {
	Method string
	Path   string              // percent-encoded as it stands; "" counts as "/"
	Query  string              // raw
	Host   string              // with its port, if it had one
	Header map[string][]string // by canonical name, as in net/http
}

func (r *Request) header(name string) string {
	if v := r.Header[textproto.CanonicalMIMEHeaderKey(name)]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Why a request cannot be verified.
var (
	ErrNone          = errors.New("the request is not signed")
	ErrAuthorization = errors.New("the signature cannot be parsed")
	ErrCredential    = errors.New("the credential is not key/date/region/service/request")
	ErrNoSignature   = errors.New("the signature has no value")
	ErrNoDate        = errors.New("X-Date is missing")
	ErrDate          = errors.New("X-Date is not a time, or not of the credential's date")
	ErrQuery         = errors.New("the query cannot be decoded")
	ErrExpired       = errors.New("the signature has expired")
	ErrEarly         = errors.New("the signature is from the future")
)

// The times that a signature may be away from ours.
const (
	// Window is how long a signature is good, unless it says so itself, and how
	// far the clock of a client may run ahead.
	Window = 15 * time.Minute
	// MaxLifetime is the longest that one in the query may ask for.
	MaxLifetime = 7 * 24 * time.Hour
)

// Claim is a signature that has been read and not verified yet.
type Claim struct {
	AccessKeyID string
	Region      string
	Service     string
	Token       string // of a temporary credential; "" for none
	InQuery     bool   // the body is then not covered
	At          time.Time
	Lifetime    time.Duration

	req           Request
	query         url.Values
	date          string // as in X-Date
	scope         string // date/region/service/request
	signedHeaders string // as it stands
	signedQueries string
	signature     string
}

// Parse reads the signature of a request, that of the header first. It returns
// one of the errors above.
func Parse(r Request) (*Claim, error) {
	query, err := url.ParseQuery(r.Query)
	if err != nil {
		return nil, ErrQuery
	}
	c := &Claim{req: r, query: query, Lifetime: Window}
	switch {
	case r.header("Authorization") != "":
		err = c.parseHeader()
	case query.Has("X-Signature") || query.Has("X-Credential") || query.Has("X-Algorithm"):
		err = c.parseQuery()
	default:
		err = ErrNone
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// CheckTime says whether the signature is good at now. A clock of a client may
// run ahead by Window; how far it may run behind is part of the lifetime.
func (c *Claim) CheckTime(now time.Time) error {
	switch {
	case now.After(c.At.Add(c.Lifetime)):
		return ErrExpired
	case c.At.After(now.Add(Window)):
		return ErrEarly
	}
	return nil
}
