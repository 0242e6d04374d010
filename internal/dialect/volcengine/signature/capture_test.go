package signature

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// capture is a request of a real SDK with what it was signed with.
type capture struct {
	Name       string     `json:"name"`
	AccessKey  string     `json:"access_key_id"`
	Secret     string     `json:"secret_access_key"`
	Token      string     `json:"session_token"`
	Region     string     `json:"region"`
	Service    string     `json:"service"`
	ServerTime time.Time  `json:"server_time_utc"`
	Method     string     `json:"method"`
	URI        string     `json:"request_uri"`
	Headers    [][]string `json:"headers"`
	Body       string     `json:"body"`
	Raw        string     `json:"raw_request"`
	Expected   struct {
		Canonical    string `json:"canonical_request"`
		StringToSign string `json:"string_to_sign"`
		Signature    string `json:"signature"`
	} `json:"expected"`
}

func captures(t testing.TB) []capture {
	t.Helper()
	paths, err := filepath.Glob("testdata/captures/*.json")
	if err != nil || len(paths) != 19 {
		t.Fatalf("%d captures, %v", len(paths), err)
	}
	var out []capture
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var c capture
		if err := json.Unmarshal(text, &c); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, c)
	}
	return out
}

// received reads raw bytes as a server does, chunks of a body included.
func received(raw string) (Request, []byte, error) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		return Request{}, nil, err
	}
	body, err := io.ReadAll(r.Body)
	return Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Host: r.Host, Header: r.Header}, body, err
}

func TestEveryCaptureVerifies(t *testing.T) {
	t.Parallel()
	for _, c := range captures(t) {
		req, body, err := received(c.Raw)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		claim, err := Parse(req)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if claim.AccessKeyID != c.AccessKey || claim.Region != c.Region || claim.Service != c.Service || claim.Token != c.Token {
			t.Errorf("%s: %+v", c.Name, claim)
		}
		if err := claim.CheckTime(c.ServerTime); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		covered, ok := claim.Verify([]byte(c.Secret), body)
		if !ok {
			t.Errorf("%s does not verify", c.Name)
			continue
		}
		if !covered.Has("Action") || !covered.Has("Version") {
			t.Errorf("%s covers %v", c.Name, covered)
		}
		if _, ok := claim.Verify([]byte(c.Secret+"x"), body); ok {
			t.Errorf("%s verifies with another secret", c.Name)
		}
	}
}

func TestTheCanonicalRequestIsThatOfTheSDK(t *testing.T) {
	t.Parallel()
	for _, c := range captures(t) {
		req, body, err := received(c.Raw)
		if err != nil {
			t.Fatal(err)
		}
		claim, err := Parse(req)
		if err != nil {
			t.Fatal(err)
		}
		query, hash := claim.query, hexSum(body)
		if claim.InQuery {
			query, hash = claim.listed(), hexSum(nil)
			if !claim.matches([]byte(c.Secret), query, hash) {
				query = claim.allButSignature()
			}
		}
		if got := claim.canonical(query, hash); got != c.Expected.Canonical {
			t.Errorf("%s:\ngot  %q\nwant %q", c.Name, got, c.Expected.Canonical)
		}
		if claim.signature != c.Expected.Signature {
			t.Errorf("%s: signature %s", c.Name, claim.signature)
		}
	}
}

// signedRegions returns the parts of the raw request that the signature covers,
// as offsets.
func (c capture) signedRegions(t *testing.T) [][2]int {
	var out [][2]int
	behind := func(mark, text string) {
		i := strings.Index(c.Raw, mark+text)
		if i < 0 || text == "" {
			t.Fatalf("%s: %q is not in the request", c.Name, text)
		}
		out = append(out, [2]int{i + len(mark), i + len(mark) + len(text)})
	}
	add := func(text string) { behind("", text) }
	add(c.Method)
	uri := c.URI
	if strings.Contains(c.Name, "signed-host-session-token") { // the one value that this SDK leaves open
		before, after, _ := strings.Cut(uri, "X-Security-Token=")
		_, after, _ = strings.Cut(after, "&")
		add(before)
		uri = after
	}
	add(uri)
	for _, h := range c.Headers {
		switch name := http.CanonicalHeaderKey(h[0]); {
		case name == "Host" && strings.Contains(c.Name, "presigned") && !strings.Contains(c.Name, "signed-host"):
		case name == "Host", name == "Authorization", name == "Content-Type", strings.HasPrefix(name, "X-"):
			behind(h[0]+": ", h[1])
		}
	}
	if c.Body != "" {
		add(c.Body)
	}
	return out
}

func TestOneChangedByteBreaksEveryCapture(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, c := range captures(t) {
		for _, region := range c.signedRegions(t) {
			for i := region[0]; i < region[1]; i++ {
				for _, flip := range []byte{1, 2} {
					raw := []byte(c.Raw)
					raw[i] ^= flip
					tried++
					if verifies(string(raw), c) {
						t.Errorf("%s: byte %d, %q for %q, goes unnoticed", c.Name, i, raw[i], c.Raw[i])
					}
				}
			}
		}
	}
	if tried < 19_000 {
		t.Errorf("only %d changes tried", tried)
	}
}

func verifies(raw string, c capture) bool {
	req, body, err := received(raw)
	if err != nil {
		return false
	}
	claim, err := Parse(req)
	if err != nil || claim.AccessKeyID != c.AccessKey || claim.CheckTime(c.ServerTime) != nil {
		return false
	}
	_, ok := claim.Verify([]byte(c.Secret), body)
	return ok
}
