package urlsign

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	testExpiry = 1893456000 // 2030-01-01T00:00:00Z
	testSecret = "0123456789abcdef0123456789abcdef"
	testRoom   = "c8d619e2e7ec445db8a1e1ebf967d6c3"
)

var (
	testNow  = time.Unix(testExpiry-3600, 0)
	testAddr = netip.MustParseAddr("203.0.113.9")
)

func testKey() Key { return Key{ID: "k1", Secret: []byte(testSecret)} }

func testTarget(scene Scene) Target {
	return Target{Scene: scene, App: "live", Stream: "cam1", Host: "play.example.com", Addr: testAddr}
}

func lookup(tb testing.TB, name string) Scheme {
	tb.Helper()
	var o Options
	switch name {
	case "volcengine_custom":
		o.Fields = []string{"AppName", "StreamName", "key", "volcTime"}
	case "cloudfront_canned":
		o.KeyID = "K1"
	case "nginx_secure_link_secret":
		o.PathPrefix = "/p"
	}
	s, err := New(name, o)
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return s
}

func sign(tb testing.TB, scheme string, t Target, o SignOptions) string {
	tb.Helper()
	if o.Expires.IsZero() {
		o.Expires = time.Unix(testExpiry, 0)
	}
	query := string(lookup(tb, scheme).AppendQuery(nil, t, testKey(), o))
	if query == "" {
		tb.Fatalf("%s did not sign %+v", scheme, t)
	}
	return query
}

// signedURL signs a target in the query or in the path, and returns the query
// and the target as a server would see them.
func signedURL(tb testing.TB, scheme string, t Target, k Key) (query string, asked Target) {
	tb.Helper()
	url := string(AppendURL(nil, lookup(tb, scheme), t, k, SignOptions{Expires: time.Unix(testExpiry, 0)}))
	if url == "" {
		tb.Fatalf("%s did not sign %+v", scheme, t)
	}
	path, query, _ := strings.Cut(url, "?")
	if path != string(appendBare(nil, &t)) {
		t.Path = path
	}
	return query, t
}

// verify asks at testNow, with the one test key unless others are given.
func verify(tb testing.TB, scheme, query string, t Target, keys ...Key) Result {
	tb.Helper()
	if keys == nil {
		keys = []Key{testKey()}
	}
	return lookup(tb, scheme).Verify(query, t, keys, VerifyOptions{Now: testNow})
}

func wantStatus(tb testing.TB, got Result, want Status) {
	tb.Helper()
	if got.Status != want {
		tb.Errorf("status %s, want %s", got.Status, want)
	}
	genuine := got.Status == Valid || got.Status == WrongStream || got.Status == Expired || got.Status == WrongScene || got.Status == WrongAddress
	// A genuine signature may have no end.
	if (got.KeyID != "") != genuine || !genuine && !got.Expires.IsZero() {
		tb.Errorf("status %s with key %q and expiry %v", got.Status, got.KeyID, got.Expires)
	}
}

// oneParam are the schemes whose whole signature is one parameter.
var oneParam = map[string]string{"aliyun_a": "auth_key", "huawei_a": "auth_key", "stagedoor": "sd", "volcengine_a": "auth_key"}

// eachScheme runs f once per scheme of one parameter, with the name of that.
func eachScheme(t *testing.T, f func(t *testing.T, scheme, param string)) {
	t.Helper()
	for scheme, param := range oneParam {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			f(t, scheme, param)
		})
	}
}

func TestNamesListTheDefaultFirstAndLookupFindsEach(t *testing.T) {
	t.Parallel()
	if names := Names(); names[0] != "stagedoor" || len(names) != len(slices.Compact(slices.Sorted(slices.Values(names)))) {
		t.Errorf("names %v", names)
	}
	strengths := map[string]string{"stagedoor": "strong", "huawei_d": "strong", "mediamtx_jwt": "strong", "volcengine_a": "unconfirmed", "tencent_css_sha256": "unconfirmed",
		"baidu_lss_publish": "unconfirmed", "antmedia_jwt": "unconfirmed"}
	for _, name := range Names() {
		s := lookup(t, name)
		if s.Name() != name || s.Strength() != cmp.Or(strengths[name], "compatibility") {
			t.Errorf("%s is %s, %s", name, s.Name(), s.Strength())
		}
	}
	for _, name := range []string{"", "Stagedoor", "aliyun_d", "volcengine_c", "volcengine_custom", "nginx_secure_link_secret", "cloudfront_canned"} {
		if s, ok := Lookup(name); ok || s != nil {
			t.Errorf("%q found", name)
		}
	}
}

func TestStatusNamesAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for s := Absent; s <= WrongStream; s++ {
		if name := s.String(); name == "" || name == "unknown" || seen[name] {
			t.Errorf("status %d is called %q", s, name)
		}
		seen[s.String()] = true
	}
	if got := Status(200).String(); got != "unknown" {
		t.Errorf("status 200 is called %q", got)
	}
}

func TestASignedURLIsValidForBothScenes(t *testing.T) {
	t.Parallel()
	eachScheme(t, func(t *testing.T, scheme, param string) {
		for _, scene := range []Scene{Publish, Play} {
			query := sign(t, scheme, testTarget(scene), SignOptions{})
			if !strings.HasPrefix(query, param+"=") {
				t.Errorf("query %q", query)
			}
			r := verify(t, scheme, query, testTarget(scene))
			wantStatus(t, r, Valid)
			if r.KeyID != "k1" || r.Expires.Unix() != testExpiry {
				t.Errorf("result %+v", r)
			}
		}
	})
}

func TestAppendQueryKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	eachScheme(t, func(t *testing.T, scheme, _ string) {
		alone := sign(t, scheme, testTarget(Play), SignOptions{})
		o := SignOptions{Expires: time.Unix(testExpiry, 0)}
		got := string(lookup(t, scheme).AppendQuery([]byte("?vhost=a.example.com&"), testTarget(Play), testKey(), o))
		if got != "?vhost=a.example.com&"+alone {
			t.Errorf("query %q", got)
		}
		wantStatus(t, verify(t, scheme, got, testTarget(Play)), Valid)
	})
}

func TestTheLastSecondIsStillValid(t *testing.T) {
	t.Parallel()
	eachScheme(t, func(t *testing.T, scheme, _ string) {
		query := sign(t, scheme, testTarget(Play), SignOptions{})
		for _, validity := range []time.Duration{0, 30 * time.Second, 90500 * time.Millisecond, -time.Hour} {
			last := time.Unix(testExpiry, 0).Add(validity).Truncate(time.Second)
			for _, c := range []struct {
				now  time.Time
				want Status
			}{
				{last.Add(-time.Second), Valid},
				{last, Valid},
				{last.Add(time.Second - time.Nanosecond), Valid},
				{last.Add(time.Second), Expired},
				{last.Add(100 * 365 * 24 * time.Hour), Expired},
			} {
				o := VerifyOptions{Now: c.now, Validity: validity}
				r := lookup(t, scheme).Verify(query, testTarget(Play), []Key{testKey()}, o)
				wantStatus(t, r, c.want)
				if !r.Expires.Truncate(time.Second).Equal(last) {
					t.Errorf("expires %v, want %v", r.Expires, last)
				}
				o.IgnoreExpiry = true
				wantStatus(t, lookup(t, scheme).Verify(query, testTarget(Play), []Key{testKey()}, o), Valid)
			}
		}
	})
}

func TestTimesThatNoURLCanCarryAreBounded(t *testing.T) {
	t.Parallel()
	eachScheme(t, func(t *testing.T, scheme, _ string) {
		for _, expires := range []time.Time{{}, time.Unix(-5, 0), time.Unix(0, 0)} {
			query := string(lookup(t, scheme).AppendQuery(nil, testTarget(Play), testKey(), SignOptions{Expires: expires}))
			wantStatus(t, verify(t, scheme, query, testTarget(Play)), Expired)
		}
		query := sign(t, scheme, testTarget(Play), SignOptions{Expires: time.Unix(1<<60, 0)})
		o := VerifyOptions{Now: testNow, Validity: 1<<63 - 1}
		r := lookup(t, scheme).Verify(query, testTarget(Play), []Key{testKey()}, o)
		wantStatus(t, r, Valid)
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("the latest expiry cannot be shown: %v", err)
		}
	})
}

func TestKeysAreTriedInOrderAndAllOfThem(t *testing.T) {
	t.Parallel()
	named := func(id, secret string) Key { return Key{ID: id, Secret: []byte(secret)} }
	mine := testKey()
	other, another := named("k2", "something else"), named("k3", "and more")
	eachScheme(t, func(t *testing.T, scheme, _ string) {
		query := sign(t, scheme, testTarget(Play), SignOptions{})
		for name, c := range map[string]struct {
			keys []Key
			want Status
		}{
			"only":                {[]Key{mine}, Valid},
			"first":               {[]Key{mine, other, another}, Valid},
			"middle":              {[]Key{other, mine, another}, Valid},
			"last":                {[]Key{other, another, mine}, Valid},
			"gone":                {[]Key{other, another}, Mismatch},
			"none":                {[]Key{}, Mismatch},
			"same id, other text": {[]Key{named("k1", "something else")}, Mismatch},
			"after an empty one":  {[]Key{named("k1", ""), mine}, Valid},
			"before an empty one": {[]Key{mine, named("k1", "")}, Valid},
		} {
			r := lookup(t, scheme).Verify(query, testTarget(Play), c.keys, VerifyOptions{Now: testNow})
			if r.Status != c.want || (c.want == Valid) != (r.KeyID == "k1") {
				t.Errorf("%s: %+v", name, r)
			}
		}
	})
}

func TestAnEmptySecretNeitherSignsNorVerifies(t *testing.T) {
	t.Parallel()
	eachScheme(t, func(t *testing.T, scheme, _ string) {
		for _, secret := range [][]byte{nil, {}} {
			empty := Key{ID: "k1", Secret: secret}
			o := SignOptions{Expires: time.Unix(testExpiry, 0)}
			if got := lookup(t, scheme).AppendQuery([]byte("a=b"), testTarget(Play), empty, o); string(got) != "a=b" {
				t.Errorf("signed: %q", got)
			}
			query := forgeWithEmptySecret(scheme)
			wantStatus(t, verify(t, scheme, query, testTarget(Play), empty), Mismatch)
		}
	})
}

// forgeWithEmptySecret makes what an attacker would send to a careless verifier.
func forgeWithEmptySecret(scheme string) string {
	if scheme != "stagedoor" {
		head := fmt.Sprintf("%d-0-0", testExpiry)
		return "auth_key=" + head + "-" + referenceAliyunA("/live/cam1", head, "")
	}
	head := fmt.Sprintf("v2-%d-k1", testExpiry)
	return "sd=" + head + "-" + referenceMAC(head, "/live/cam1", "")
}

func TestNothingIsSignedForNamesThatNoURLCarries(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxPath)
	eachScheme(t, func(t *testing.T, scheme, _ string) {
		valid := sign(t, scheme, testTarget(Play), SignOptions{})
		for _, target := range []Target{
			{Scene: Play},
			{Scene: Play, App: "live"},
			{Scene: Play, Stream: "cam1"},
			{Scene: Play, App: "live", Stream: long},
			{Scene: Play, App: long, Stream: "cam1"},
		} {
			o := SignOptions{Expires: time.Unix(testExpiry, 0)}
			if got := lookup(t, scheme).AppendQuery(nil, target, testKey(), o); len(got) != 0 {
				t.Errorf("signed: %q", got)
			}
			wantStatus(t, verify(t, scheme, valid, target), Mismatch)
		}
		if scheme != "stagedoor" {
			target := testTarget(Play)
			target.Path = "/" + long
			if got := lookup(t, scheme).AppendQuery(nil, target, testKey(), SignOptions{}); len(got) != 0 {
				t.Errorf("signed: %q", got)
			}
			wantStatus(t, verify(t, scheme, valid, target), Mismatch)
		}
	})
}

func TestTheQueryIsSearchedAsMediaServersReportIt(t *testing.T) {
	t.Parallel()
	eachScheme(t, func(t *testing.T, scheme, param string) {
		query := sign(t, scheme, testTarget(Publish), SignOptions{})
		_, value, _ := strings.Cut(query, "=")
		upper := strings.ToUpper(param)
		for name, c := range map[string]struct {
			query string
			want  Status
		}{
			"bare":                  {query, Valid},
			"leading question mark": {"?" + query, Valid},
			"twice, merged":         {"?" + query + "?" + query, Valid},
			"twice, ampersand":      {query + "&" + query, Valid},
			"among others":          {"?a=1&" + query + "&vhost=b", Valid},
			"percent-encoded":       {param + "=" + strings.ReplaceAll(value, "-", "%2D"), Valid},
			"repeat spelled apart":  {query + "&" + param + "=" + strings.ReplaceAll(value, "-", "%2d"), Valid},
			"repeat differs":        {query + "&" + param + "=1", Repeated},
			"repeat first differs":  {param + "=1?" + query, Repeated},
			"repeat is empty":       {query + "&" + param, Repeated},
			"absent":                {"?a=1&b=2", Absent},
			"empty":                 {"", Absent},
			"other case":            {upper + "=" + value, Absent},
			"longer name":           {"x" + query, Absent},
			"name is a prefix":      {param + "x=" + value, Absent},
			"no value":              {param, Malformed},
			"empty value":           {param + "=", Malformed},
			"blank around":          {param + "=+" + value, Malformed},
			"line break behind":     {query + "%0A", Malformed},
			"null behind":           {query + "\x00", Malformed},
		} {
			if got := verify(t, scheme, c.query, testTarget(Publish)); got.Status != c.want {
				t.Errorf("%s: status %s, want %s", name, got.Status, c.want)
			}
		}
	})
}

func TestEveryChangedByteOfTheValueIsRefused(t *testing.T) {
	t.Parallel()
	eachScheme(t, func(t *testing.T, scheme, param string) {
		query := sign(t, scheme, testTarget(Play), SignOptions{})
		for i := len(param) + 1; i < len(query); i++ {
			refuse := func(changed string) {
				if r := verify(t, scheme, changed, testTarget(Play)); r.Status == Valid || r.KeyID != "" {
					t.Errorf("%q: %+v", changed, r)
				}
			}
			for c := range 256 {
				if byte(c) != query[i] {
					refuse(query[:i] + string([]byte{byte(c)}) + query[i+1:])
				}
				refuse(query[:i] + string([]byte{byte(c)}) + query[i:])
			}
			refuse(query[:i] + query[i+1:])
			refuse(query[:i])
		}
	})
}

func TestEveryChangedByteOfTheTargetIsRefused(t *testing.T) {
	t.Parallel()
	eachScheme(t, func(t *testing.T, scheme, _ string) {
		query := sign(t, scheme, testTarget(Play), SignOptions{})
		refuse := func(app, stream string) {
			target := testTarget(Play)
			target.App, target.Stream = app, stream
			if r := verify(t, scheme, query, target); r.Status != Mismatch {
				t.Errorf("%q %q: %+v", app, stream, r)
			}
		}
		for c := range 256 {
			b := string([]byte{byte(c)})
			for i := range len("live") {
				if b != "live"[i:i+1] {
					refuse("live"[:i]+b+"live"[i+1:], "cam1")
				}
			}
			for i := range len("cam1") {
				if b != "cam1"[i:i+1] {
					refuse("live", "cam1"[:i]+b+"cam1"[i+1:])
				}
			}
			refuse("live", "cam1"+b)
			refuse("live", b+"cam1")
			refuse("live"+b, "cam1")
		}
		refuse("live", "cam")
		refuse("live", "Cam1")
		refuse("cam1", "live")
	})
}
