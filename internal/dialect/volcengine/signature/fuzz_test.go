package signature

import (
	"net/url"
	"testing"
	"time"
)

// FuzzParse feeds the verifier with whatever a stranger can send. Nothing may
// panic, and nothing may verify, since the secret is not among the seeds.
func FuzzParse(f *testing.F) {
	for _, c := range captures(f) {
		req, body, err := received(c.Raw)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(req.Method, req.Path, req.Query, req.Host, req.header("Authorization"), req.header("X-Date"), req.header("X-Content-Sha256"), body)
	}
	f.Add("GET", "/", "X-Algorithm=HMAC-SHA256&X-SignedQueries=;;X-Signature;", "[::1]:443", "", "", "", []byte(nil))
	f.Add("GET", "/%2f%zz", "a=%&b;c", "", "HMAC-SHA256 =,=,", "00000000T000000Z", "x", []byte("x"))
	f.Fuzz(func(t *testing.T, method, path, query, host, authorization, date, hash string, body []byte) {
		c, err := Parse(Request{Method: method, Path: path, Query: query, Host: host, Header: map[string][]string{
			"Authorization": {authorization}, "X-Date": {date}, "X-Content-Sha256": {hash}}})
		if err != nil {
			return
		}
		if c.Lifetime <= 0 || c.Lifetime > MaxLifetime || c.AccessKeyID == "" {
			t.Errorf("%+v", c)
		}
		_ = c.CheckTime(time.Unix(2_000_000_000, 0))
		if _, ok := c.Verify([]byte("nobody knows this one"), body); ok {
			t.Error("verifies without the secret")
		}
	})
}

// FuzzSignAndVerify signs any query and body and demands that they verify.
func FuzzSignAndVerify(f *testing.F) {
	f.Add("Action=A&Version=B&x=a+b%2Fc%E6", `{"a":1}`)
	f.Add("=&==&a&%00=%ff", "")
	f.Fuzz(func(t *testing.T, query, body string) {
		if _, err := url.ParseQuery(query); err != nil {
			return
		}
		c, err := Parse(signed(query, body))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := c.Verify([]byte(secret), []byte(body)); !ok {
			t.Error("does not verify")
		}
		if _, ok := c.Verify([]byte(secret), []byte(body+"x")); ok {
			t.Error("another body verifies")
		}
	})
}
