package urlsign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
)

// Compact JSON Web Signatures (RFC 7515), as little of them as URLs need. The
// algorithm follows from the key alone; what a token says of it must agree, so
// that no token chooses how it is verified, and "none" is no algorithm.

// maxToken bounds a token that is looked at: encoders cut URLs at 1024 bytes,
// and four kibibytes is where RTSP ends.
const maxToken = 4096

// algorithm is the JWS name of what a key does; "" for a key that can do nothing.
func (k *Key) algorithm() string {
	public := k.Public
	if k.Private != nil {
		public = k.Private.Public()
	}
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		if p.Curve == elliptic.P256() {
			return "ES256"
		}
	case *rsa.PublicKey:
		return "RS256"
	case ed25519.PublicKey:
		return "EdDSA"
	case nil:
		if len(k.Secret) > 0 {
			return "HS256"
		}
	}
	return ""
}

// appendJWS writes header and payload, signed with k. It returns dst unchanged
// if k cannot sign.
func appendJWS(dst, header, payload []byte, k *Key) []byte {
	b64 := base64.RawURLEncoding
	out := b64.AppendEncode(dst, header)
	out = b64.AppendEncode(append(out, '.'), payload)
	sum, ok := k.signJWS(out[len(dst):])
	if !ok {
		return dst
	}
	return b64.AppendEncode(append(out, '.'), sum)
}

// signJWS signs without randomness: ES256 as RFC 6979 has it, so that signing
// stays a pure function.
func (k *Key) signJWS(text []byte) ([]byte, bool) {
	sum := sha256.Sum256(text)
	switch k.algorithm() {
	case "HS256":
		m := hmac.New(sha256.New, k.Secret)
		m.Write(text)
		return m.Sum(nil), true
	case "EdDSA":
		if k.Private == nil {
			return nil, false
		}
		out, err := k.Private.Sign(nil, text, crypto.Hash(0))
		return out, err == nil
	case "RS256", "ES256":
		if k.Private == nil {
			return nil, false
		}
		out, err := k.Private.Sign(nil, sum[:], crypto.SHA256)
		if err != nil || k.algorithm() == "RS256" {
			return out, err == nil
		}
		return flatECDSA(out)
	}
	return nil, false
}

// flatECDSA turns the ASN.1 of a signature into r and s of 32 bytes each.
func flatECDSA(der []byte) ([]byte, bool) {
	var v struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) > 0 || v.R.BitLen() > 256 || v.S.BitLen() > 256 {
		return nil, false
	}
	out := make([]byte, 64)
	v.R.FillBytes(out[:32])
	v.S.FillBytes(out[32:])
	return out, true
}

// verifyJWS reports whether k made the signature of the text.
func (k *Key) verifyJWS(text, sum []byte) bool {
	digest := sha256.Sum256(text)
	public := k.Public
	if k.Private != nil {
		public = k.Private.Public()
	}
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		return len(sum) == 64 && ecdsa.Verify(p, digest[:], new(big.Int).SetBytes(sum[:32]), new(big.Int).SetBytes(sum[32:]))
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(p, crypto.SHA256, digest[:], sum) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(p, text, sum)
	}
	m := hmac.New(sha256.New, k.Secret)
	m.Write(text)
	return len(k.Secret) > 0 && hmac.Equal(m.Sum(nil), sum)
}

// jws is a token taken apart, its signature not verified.
type jws struct {
	alg, kid string
	text     string // what is signed
	payload  []byte
	sum      []byte
}

// isJWS tells a token that may be one of these from any other text, for next to
// nothing: the header is the base64 of `{"`.
func isJWS(token string) bool {
	return strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2
}

// parseJWS reads a token strictly: base64 has one spelling, and an extension
// that must be understood is not.
func parseJWS(token string) (j jws, ok bool) {
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") {
		return j, false
	}
	head, rest, _ := cut(token, '.')
	body, sum, ok := cut(rest, '.')
	if !ok {
		return j, false
	}
	b64 := base64.RawURLEncoding.Strict()
	header, err := b64.DecodeString(head)
	if err != nil {
		return j, false
	}
	if j.payload, err = b64.DecodeString(body); err != nil {
		return j, false
	}
	if j.sum, err = b64.DecodeString(sum); err != nil {
		return j, false
	}
	var h struct {
		Alg, Kid string
		Crit     []string
	}
	if json.Unmarshal(header, &h) != nil || h.Crit != nil {
		return j, false
	}
	j.alg, j.kid, j.text = h.Alg, h.Kid, token[:len(head)+1+len(body)]
	return j, true
}

// find returns the index of the first key that made the signature, or -1. A
// token that names its key is tried with keys of that name only: trying all of
// them costs a public-key operation each.
func (j *jws) find(keys []Key) int {
	for i := range keys {
		k := &keys[i]
		if j.kid != "" && k.ID != j.kid && k.algorithm() != "HS256" {
			continue
		}
		if alg := k.algorithm(); alg != "" && alg == j.alg && k.verifyJWS([]byte(j.text), j.sum) {
			return i
		}
	}
	return -1
}
