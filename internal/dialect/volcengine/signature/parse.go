package signature

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "HMAC-SHA256"
	terminator = "request"
	timeLayout = "20060102T150405Z"
)

// The bounds of what a signature consists of.
const (
	maxSignedNames = 128 // headers, or query parameters
	maxKeyID       = 128
	maxScopePart   = 64
	hexDigits      = 64
)

func (c *Claim) parseHeader() error {
	fields, ok := strings.CutPrefix(c.req.header("Authorization"), algorithm+" ")
	if !ok {
		return ErrAuthorization
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(fields, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if _, again := parts[name]; !ok || again {
			return ErrAuthorization
		}
		parts[name] = value
	}
	c.signedHeaders = parts["SignedHeaders"]
	if names := strings.Split(c.signedHeaders, ";"); !slices.Contains(names, "host") || !slices.Contains(names, "x-date") {
		return ErrAuthorization
	}
	c.Token, c.date = c.req.header("X-Security-Token"), c.req.header("X-Date")
	return c.finish(parts["Credential"], parts["Signature"])
}

func (c *Claim) parseQuery() error {
	c.InQuery = true
	if c.query.Get("X-Algorithm") != algorithm {
		return ErrAuthorization
	}
	c.signedHeaders, c.signedQueries = c.query.Get("X-SignedHeaders"), c.query.Get("X-SignedQueries")
	c.Token, c.date = c.query.Get("X-Security-Token"), c.query.Get("X-Date")
	if text := c.query.Get("X-Expires"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 32)
		c.Lifetime = time.Duration(seconds) * time.Second
		if err != nil || c.Lifetime == 0 || c.Lifetime > MaxLifetime {
			return ErrAuthorization
		}
	}
	return c.finish(c.query.Get("X-Credential"), c.query.Get("X-Signature"))
}

// finish reads what both forms have in common.
func (c *Claim) finish(credential, signature string) error {
	if strings.Count(c.signedHeaders, ";") >= maxSignedNames || strings.Count(c.signedQueries, ";") >= maxSignedNames {
		return ErrAuthorization
	}
	if signature == "" {
		return ErrNoSignature
	}
	if !isHex(signature) {
		return ErrAuthorization
	}
	c.signature = signature
	day, err := c.parseCredential(credential)
	if err != nil {
		return err
	}
	if c.date == "" {
		return ErrNoDate
	}
	c.At, err = time.Parse(timeLayout, c.date)
	if err != nil || len(c.date) != len(timeLayout) {
		return ErrDate
	}
	if day != c.date[:len(day)] {
		return ErrCredential
	}
	return nil
}

func (c *Claim) parseCredential(text string) (day string, err error) {
	parts := strings.Split(text, "/")
	if len(parts) != 5 || parts[4] != terminator {
		return "", ErrCredential
	}
	c.AccessKeyID, day, c.Region, c.Service = parts[0], parts[1], parts[2], parts[3]
	if len(day) != len("20060102") || !isWord(c.AccessKeyID, maxKeyID) || !isWord(c.Region, maxScopePart) || !isWord(c.Service, maxScopePart) {
		return "", ErrCredential
	}
	c.scope = strings.Join(parts[1:], "/")
	return day, nil
}

func isWord(s string, most int) bool {
	for i := 0; i < len(s); i++ {
		if !unreserved(s[i]) {
			return false
		}
	}
	return s != "" && len(s) <= most
}

func isHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == hexDigits
}
