package aliyuntest

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"
)

// maxSkew is how far a request's clock may be off.
const maxSkew = 15 * time.Minute

// verify checks a request and takes it apart. It computes everything from what
// arrived, with none of the client's code.
func (s *Server) verify(r *http.Request) (c Call, nonce, problem string) {
	if r.Method != http.MethodPost || r.URL.Path != "/" {
		return c, "", r.Method + " " + r.URL.Path
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) > 0 {
		return c, "", fmt.Sprintf("a body of %d bytes, error %v", len(body), err)
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return c, "", err.Error()
	}
	at := ""
	if auth := r.Header.Get("Authorization"); auth != "" {
		h := r.Header
		c = Call{Action: h.Get("X-Acs-Action"), Version: h.Get("X-Acs-Version"), Params: flat(q)}
		at, nonce, problem = h.Get("X-Acs-Date"), h.Get("X-Acs-Signature-Nonce"), s.verifyV3(r, q, auth)
	} else {
		c = Call{Action: q.Get("Action"), Version: q.Get("Version"), Params: flat(q, common...)}
		at, nonce, problem = q.Get("Timestamp"), q.Get("SignatureNonce"), s.verifyV1(q)
	}
	if when, err := time.Parse("2006-01-02T15:04:05Z", at); problem == "" && (err != nil || s.Now().Sub(when).Abs() > maxSkew) {
		problem = "the time is " + at
	}
	return c, nonce, problem
}

func (s *Server) verifyV1(q url.Values) (problem string) {
	for name, want := range map[string]string{"Format": "JSON", "AccessKeyId": KeyID, "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"SecurityToken": s.Token} {
		if q.Get(name) != want {
			return name + " is " + q.Get(name)
		}
	}
	mac := hmac.New(sha1.New, []byte(Secret+"&"))
	_, _ = io.WriteString(mac, "POST&"+percent("/")+"&"+percent(line(q, "Signature")))
	if base64.StdEncoding.EncodeToString(mac.Sum(nil)) != q.Get("Signature") {
		return "wrong signature"
	}
	return ""
}

func (s *Server) verifyV3(r *http.Request, q url.Values, auth string) (problem string) {
	rest, ok := strings.CutPrefix(auth, "ACS3-HMAC-SHA256 Credential="+KeyID+",SignedHeaders=")
	names, signature, ok2 := strings.Cut(rest, ",Signature=")
	if !ok || !ok2 {
		return "Authorization is " + auth
	}
	empty := sha256.Sum256(nil)
	if r.Header.Get("X-Acs-Content-Sha256") != hex.EncodeToString(empty[:]) || r.Header.Get("X-Acs-Security-Token") != s.Token {
		return "wrong hash or token"
	}
	signed := strings.Split(names, ";")
	for _, name := range []string{"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"} {
		if !slices.Contains(signed, name) || !sort.StringsAreSorted(signed) {
			return "signed headers " + names
		}
	}
	text := "POST\n/\n" + line(q, "") + "\n"
	for _, name := range signed {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		text += name + ":" + value + "\n"
	}
	sum := sha256.Sum256([]byte(text + "\n" + names + "\n" + hex.EncodeToString(empty[:])))
	mac := hmac.New(sha256.New, []byte(Secret))
	_, _ = io.WriteString(mac, "ACS3-HMAC-SHA256\n"+hex.EncodeToString(sum[:]))
	if hex.EncodeToString(mac.Sum(nil)) != signature {
		return "wrong signature"
	}
	return ""
}

// line writes parameters in order, all but one.
func line(q url.Values, without string) string {
	var pairs []string
	for name := range q {
		if name != without {
			pairs = append(pairs, percent(name)+"="+percent(q.Get(name)))
		}
	}
	// By name: "=" sorts behind digits, so that pairs would not do.
	sort.Slice(pairs, func(i, j int) bool {
		a, _, _ := strings.Cut(pairs[i], "=")
		b, _, _ := strings.Cut(pairs[j], "=")
		return a < b
	})
	return strings.Join(pairs, "&")
}

func percent(text string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(text))
}

func flat(q url.Values, without ...string) map[string]string {
	out := map[string]string{}
	for name := range q {
		if !slices.Contains(without, name) {
			out[name] = q.Get(name)
		}
	}
	return out
}
