package signature

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)

const (
	keyID  = "AKtest"
	secret = "c2VjcmV0"
	day    = "20300517"
	date   = "20300517T120000Z"
	scope  = day + "/cn-north-1/live/request"
)

// signed returns a request with a right signature in its header.
func signed(query, body string) Request {
	r := Request{Method: "POST", Path: "/", Query: query, Host: "live.example.com", Header: map[string][]string{"X-Date": {date}}}
	c := &Claim{req: r, date: date, scope: scope, signedHeaders: "host;x-date"}
	c.query, _ = url.ParseQuery(query)
	r.Header["Authorization"] = []string{authorization(keyID+"/"+scope, c.signedHeaders, signatureOf(c, c.query, hexSum([]byte(body))))}
	return r
}

func authorization(credential, headers, signature string) string {
	return "HMAC-SHA256 Credential=" + credential + ", SignedHeaders=" + headers + ", Signature=" + signature
}

func signatureOf(c *Claim, query url.Values, bodyHash string) string {
	key := []byte(secret)
	for part := range strings.SplitSeq(c.scope, "/") {
		key = mac(key, part)
	}
	text := algorithm + "\n" + c.date + "\n" + c.scope + "\n" + hexSum([]byte(c.canonical(query, bodyHash)))
	return hexOf(mac(key, text))
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var out []byte
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}

// presigned returns a URL signed in its query, where names lists what is
// signed; more is appended afterwards.
func presigned(names string, more string, extra url.Values) Request {
	q := url.Values{"Action": {"DescribeLiveStreamState"}, "Version": {"2023-01-01"}, "X-Algorithm": {algorithm}, "X-Credential": {keyID + "/" + scope},
		"X-Date": {date}, "X-NotSignBody": {""}, "X-SignedHeaders": {""}, "X-SignedQueries": {names}}
	for name, v := range extra {
		q[name] = v
	}
	r := Request{Method: "GET", Path: "/", Host: "live.example.com"}
	c := &Claim{req: r, date: date, scope: scope, query: q, signedQueries: names}
	q.Set("X-Signature", signatureOf(c, c.listed(), hexSum(nil)))
	r.Query = q.Encode() + more
	return r
}

const all = "Action;Version;X-Algorithm;X-Credential;X-Date;X-NotSignBody;X-SignedHeaders;X-SignedQueries"

func TestParseSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	right := strings.Repeat("0", 64)
	header := func(value string) Request {
		return Request{Header: map[string][]string{"Authorization": {value}, "X-Date": {date}}}
	}
	dated := func(date string) Request {
		return Request{Header: map[string][]string{"Authorization": {authorization(keyID+"/"+scope, "host;x-date", right)}, "X-Date": {date}}}
	}
	query := func(change func(url.Values)) Request {
		q := url.Values{"X-Algorithm": {algorithm}, "X-Credential": {keyID + "/" + scope}, "X-Date": {date}, "X-Signature": {right}}
		change(q)
		return Request{Query: q.Encode()}
	}
	for name, tc := range map[string]struct {
		r    Request
		want error
	}{
		"nothing":               {Request{}, ErrNone},
		"only a date":           {Request{Header: map[string][]string{"X-Date": {date}}}, ErrNone},
		"bearer":                {header("Bearer abc"), ErrAuthorization},
		"another algorithm":     {header("HMAC-SHA1 Credential=a"), ErrAuthorization},
		"no algorithm":          {header("HMAC-SHA256"), ErrAuthorization},
		"no equals sign":        {header("HMAC-SHA256 Credential"), ErrAuthorization},
		"a part twice":          {header("HMAC-SHA256 Signature=a, Signature=b"), ErrAuthorization},
		"host not signed":       {header(authorization(keyID+"/"+scope, "x-date", right)), ErrAuthorization},
		"date not signed":       {header(authorization(keyID+"/"+scope, "host", right)), ErrAuthorization},
		"too many headers":      {header(authorization(keyID+"/"+scope, "host;x-date"+strings.Repeat(";a", 200), right)), ErrAuthorization},
		"no signature":          {header(authorization(keyID+"/"+scope, "host;x-date", "")), ErrNoSignature},
		"upper case":            {header(authorization(keyID+"/"+scope, "host;x-date", strings.Repeat("A", 64))), ErrAuthorization},
		"short signature":       {header(authorization(keyID+"/"+scope, "host;x-date", right[1:])), ErrAuthorization},
		"no credential":         {header(authorization("", "host;x-date", right)), ErrCredential},
		"four parts":            {header(authorization(keyID+"/"+day+"/live/request", "host;x-date", right)), ErrCredential},
		"another end":           {header(authorization(keyID+"/"+day+"/cn-north-1/live/aws4_request", "host;x-date", right)), ErrCredential},
		"no key":                {header(authorization("/"+scope, "host;x-date", right)), ErrCredential},
		"blank in the key":      {header(authorization("A K/"+scope, "host;x-date", right)), ErrCredential},
		"long key":              {header(authorization(strings.Repeat("A", 129)+"/"+scope, "host;x-date", right)), ErrCredential},
		"no region":             {header(authorization(keyID+"/"+day+"//live/request", "host;x-date", right)), ErrCredential},
		"another day":           {header(authorization(keyID+"/20300516/cn-north-1/live/request", "host;x-date", right)), ErrCredential},
		"no date":               {dated(""), ErrNoDate},
		"a date in words":       {dated("Fri, 17 May 2030 12:00:00 GMT"), ErrDate},
		"a date with fractions": {dated("20300517T120000.5Z"), ErrDate},
		"no such day":           {dated("20300532T120000Z"), ErrDate},
		"query of bad escapes":  {Request{Query: "a=%zz"}, ErrQuery},
		"query with semicolons": {Request{Query: "a=1;b=2"}, ErrQuery},
		"query, no algorithm":   {query(func(q url.Values) { q.Del("X-Algorithm") }), ErrAuthorization},
		"query, no signature":   {query(func(q url.Values) { q.Del("X-Signature") }), ErrNoSignature},
		"query, no credential":  {query(func(q url.Values) { q.Del("X-Credential") }), ErrCredential},
		"query, no date":        {query(func(q url.Values) { q.Del("X-Date") }), ErrNoDate},
		"query, zero lifetime":  {query(func(q url.Values) { q.Set("X-Expires", "0") }), ErrAuthorization},
		"query, long lifetime":  {query(func(q url.Values) { q.Set("X-Expires", "604801") }), ErrAuthorization},
		"query, odd lifetime":   {query(func(q url.Values) { q.Set("X-Expires", "-1") }), ErrAuthorization},
		"query, many names":     {query(func(q url.Values) { q.Set("X-SignedQueries", strings.Repeat("a;", 200)) }), ErrAuthorization},
	} {
		if _, err := Parse(tc.r); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

func TestSeparatorsMayLackTheirBlank(t *testing.T) {
	t.Parallel()
	r := signed("Action=A&Version=B", "")
	r.Header["Authorization"][0] = strings.ReplaceAll(r.Header["Authorization"][0], ", ", ",")
	c, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Verify([]byte(secret), nil); !ok {
		t.Error("does not verify")
	}
}

func TestASignatureLivesAQuarterOfAnHourUnlessItSaysOtherwise(t *testing.T) {
	t.Parallel()
	long := url.Values{"X-Expires": {"7200"}}
	for name, tc := range map[string]struct {
		r      Request
		offset time.Duration // of our clock
		want   error
	}{
		"now":               {signed("", ""), 0, nil},
		"at its end":        {signed("", ""), Window, nil},
		"after":             {signed("", ""), Window + time.Second, ErrExpired},
		"just early enough": {signed("", ""), -Window, nil},
		"too early":         {signed("", ""), -Window - time.Second, ErrEarly},
		"long":              {presigned(all+";X-Expires", "", long), 2 * time.Hour, nil},
		"after a long time": {presigned(all+";X-Expires", "", long), 2*time.Hour + time.Second, ErrExpired},
		"long but early":    {presigned(all+";X-Expires", "", long), -Window - time.Second, ErrEarly},
	} {
		c, err := Parse(tc.r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.CheckTime(at.Add(tc.offset)); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

func TestOnlyWhatIsSignedIsReturned(t *testing.T) {
	t.Parallel()
	c, err := Parse(presigned(all+";Stream", "&App=forged", url.Values{"Stream": {"x"}}))
	if err != nil {
		t.Fatal(err)
	}
	covered, ok := c.Verify([]byte(secret), []byte("whatever"))
	if !ok || covered.Get("Stream") != "x" || covered.Has("App") || covered.Has("X-Signature") {
		t.Errorf("%v %v", covered, ok)
	}
}

func TestNothingCanBeAddedToASignedQuery(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]Request{
		"a second value":        presigned(all+";Stream", "&Stream=y", url.Values{"Stream": {"x"}}),
		"a second action":       presigned(all, "&Action=KillStream", nil),
		"a longer life":         presigned(all, "&X-Expires=604800", nil),
		"the action is open":    presigned(strings.Replace(all, "Action;", "", 1), "", nil),
		"the version is open":   presigned(strings.Replace(all, "Version;", "", 1), "", nil),
		"the date is open":      presigned(strings.Replace(all, "X-Date;", "", 1), "", nil),
		"the list is open":      presigned(strings.Replace(all, ";X-SignedQueries", "", 1), "", nil),
		"nothing is signed":     presigned("", "", nil),
		"the signature as well": presigned("X-Signature", "", nil),
	} {
		c, err := Parse(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if covered, ok := c.Verify([]byte(secret), nil); ok {
			t.Errorf("%s: verifies, %v", name, covered)
		}
	}
}

func TestTheHeaderFormCoversQueryBodyAndHost(t *testing.T) {
	t.Parallel()
	const query, body = "Action=UpdateAuthKey&Version=2020-08-01&Version=2023-01-01&a=b+c%2F%7E", `{"a":"流"}`
	verify := func(r Request, body, secret string) bool {
		c, err := Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		_, ok := c.Verify([]byte(secret), []byte(body))
		return ok
	}
	if !verify(signed(query, body), body, secret) {
		t.Fatal("does not verify")
	}
	for name, change := range map[string]func(r *Request){
		"method":       func(r *Request) { r.Method = "GET" },
		"path":         func(r *Request) { r.Path = "/x" },
		"query":        func(r *Request) { r.Query += "&x=y" },
		"query order":  func(r *Request) { r.Query = "Version=2023-01-01&Version=2020-08-01&Action=UpdateAuthKey&a=b+c%2F%7E" },
		"host":         func(r *Request) { r.Host = "other.example.com" },
		"port":         func(r *Request) { r.Host += ":8080" },
		"content hash": func(r *Request) { r.Header["X-Content-Sha256"] = []string{hexSum(nil)} },
	} {
		r := signed(query, body)
		change(&r)
		if verify(r, body, secret) {
			t.Errorf("another %s goes unnoticed", name)
		}
	}
	if verify(signed(query, body), body+" ", secret) || verify(signed(query, body), body, secret+"x") || verify(signed(query, body), body, "") {
		t.Error("another body or secret goes unnoticed")
	}
	for name, change := range map[string]func(r *Request){
		"default port":   func(r *Request) { r.Host += ":443" },
		"empty path":     func(r *Request) { r.Path = "" },
		"the same query": func(r *Request) { r.Query = "a=b%20c/~&Version=2020-08-01&Action=UpdateAuthKey&Version=2023-01-01" },
		"a right hash":   func(r *Request) { r.Header["X-Content-Sha256"] = []string{hexSum([]byte(body))} },
	} {
		r := signed(query, body)
		change(&r)
		if !verify(r, body, secret) {
			t.Errorf("%s breaks the signature", name)
		}
	}
}

func TestPathsAreEncodedAnew(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "/", "/": "/", "/a b": "/a%20b", "/a%20b~c": "/a%20b~c", "/%e6%b5%81/": "/%E6%B5%81/", "/a+b": "/a%2Bb", "/%zz": "/%25zz"} {
		if got := canonicalPath(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
