package aliyun

import (
	"crypto/hmac"
	"crypto/sha1" // version 1 of the signature is made of it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// timeLayout is UTC to the second, as both versions want it.
const timeLayout = "2006-01-02T15:04:05Z"

// signV1 returns the whole query: parameters, common parameters, signature.
func (c *Client) signV1(action string, p Params, nonce string) string {
	all := Params{
		"Action": action, "Version": c.Version, "Format": "JSON", "AccessKeyId": c.Key.ID, "SecurityToken": c.Key.Token.Reveal(),
		"SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "SignatureNonce": nonce, "Timestamp": c.Now().UTC().Format(timeLayout),
	}
	maps.Copy(all, p)
	query := all.canonical()
	return query + "&Signature=" + escape(signatureV1(http.MethodPost, query, c.Key.Secret.Reveal()))
}

func signatureV1(method, query, secret string) string {
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(method + "&%2F&" + escape(query)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signV3 returns the query and the headers that prove it.
func (c *Client) signV3(host, action string, p Params, nonce string) (string, http.Header) {
	query := p.canonical()
	signed := Params{
		"host": host, "x-acs-action": action, "x-acs-version": c.Version, "x-acs-date": c.Now().UTC().Format(timeLayout),
		"x-acs-signature-nonce": nonce, "x-acs-content-sha256": hexHash(""), "x-acs-security-token": c.Key.Token.Reveal(),
	}
	names, signature := signatureV3(http.MethodPost, query, signed, c.Key.Secret.Reveal())
	header := http.Header{}
	for _, name := range signed.names() {
		if name != "host" { // net/http sends that one by itself
			header.Set(name, signed[name])
		}
	}
	header.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+c.Key.ID+",SignedHeaders="+names+",Signature="+signature)
	return query, header
}

// signatureV3 also returns the names of the headers that it covers. They carry
// the hash of the body.
func signatureV3(method, query string, header Params, secret string) (names, signature string) {
	names = strings.Join(header.names(), ";")
	var lines strings.Builder
	for _, name := range header.names() {
		lines.WriteString(name + ":" + strings.TrimSpace(header[name]) + "\n")
	}
	request := strings.Join([]string{method, "/", query, lines.String(), names, header["x-acs-content-sha256"]}, "\n")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("ACS3-HMAC-SHA256\n" + hexHash(request)))
	return names, hex.EncodeToString(mac.Sum(nil))
}

func hexHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// names lists the parameters that are not empty, in order.
func (p Params) names() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(p)), func(name string) bool { return p[name] == "" })
}

// canonical writes the parameters as they are signed and sent.
func (p Params) canonical() string {
	var b strings.Builder
	for i, name := range p.names() {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(name) + "=" + escape(p[name]))
	}
	return b.String()
}

// escape encodes all bytes but the unreserved ones of RFC 3986.
func escape(text string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(text) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_' || c == '.' || c == '~' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}
