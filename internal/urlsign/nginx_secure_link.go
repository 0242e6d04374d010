package urlsign

import (
	"errors"
	"strings"
)

// usualExpression covers one path. In nginx it is written with the secret in
// the place of $key: secure_link_md5 "$secure_link_expires$uri s3cr3t".
const usualExpression = "$secure_link_expires$uri $key"

// newSecureLinkMD5 returns what nginx and its relatives check with secure_link
// and secure_link_md5:
//
//	md5=base64url(MD5(<expression>))&expires=<time>
//	/<prefix>/base64url(MD5(<expression>))/<time><path>
//
// The expression is the operator's: that of the configuration, with $key where
// the secret is. Its $uri is the decoded path, which in the second form is what
// follows the signature, as a configuration has it that takes the path apart.
// With "/$app/$stream" instead of it one signature opens a stream in every
// format and all of its segments.
//
// The time has ten digits, until 2286, so that nothing beside it in the
// expression can be taken for a part of it, and must be hashed: one that is not
// can be changed by anybody.
func newSecureLinkMD5(o Options) (Scheme, error) {
	r, err := parseExpression(orDefault(o.Expression, usualExpression))
	switch {
	case err != nil:
		return nil, err
	case !r.key:
		return nil, errors.New("the expression needs $key where the configuration of the server has the secret")
	case !r.time:
		return nil, errors.New("the expression needs $secure_link_expires")
	case !r.path && !r.names:
		return nil, errors.New("the expression needs $uri, or $app and $stream: without, one URL opens everything")
	}
	s := &hashed{name: "nginx_secure_link_md5", strength: compatibility, recipe: r, digest: md5Base64,
		clock: clock{numeral: newNumeral(10, true)}}
	if o.PathPrefix == "" {
		s.place = place{signature: orDefault(o.SignatureParam, "md5"), time: orDefault(o.TimeParam, "expires")}
		return s.finish()
	}
	if o.SignatureParam != "" || o.TimeParam != "" {
		return nil, errors.New("a signature in the path has no parameters")
	}
	s.place = place{form: inSegments, prefix: o.PathPrefix}
	return s.finish()
}

// newSecureLinkSecret returns the old mode of nginx, secure_link_secret:
//
//	/<prefix>/md5hex(<link><secret>)/<link>
//
// The link is the decoded path without its first slash. It never ends.
func newSecureLinkSecret(o Options) (Scheme, error) {
	if o.PathPrefix == "" {
		return nil, errors.New("nginx_secure_link_secret needs the prefix of its location, such as /p")
	}
	s := &hashed{name: "nginx_secure_link_secret", strength: compatibility, recipe: kinds(pieceLink, pieceKey), digest: md5AnyHex,
		clock: never, place: place{form: inSegments, prefix: o.PathPrefix}}
	return s.finish()
}

// isPrefix knows one to three plain path segments.
func isPrefix(s string) bool {
	if len(s) > maxParam || !strings.HasPrefix(s, "/") || strings.Count(s, "/") >= maxSegments {
		return false
	}
	for part := range strings.SplitSeq(s[1:], "/") {
		if !isWord(part) {
			return false
		}
	}
	return true
}
