package volcengine

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

const noRules = `{"Vhost":"none.example.com","SceneType":"push"}`

// changed is a signed request with one header changed afterwards.
func (b *bench) changed(name, value string) dialecttest.Request {
	r := b.signed(b.admin, post2023("DescribeAuth", noRules))
	r.Header[name] = value
	return r
}

// authorized is one with another Authorization, built from the right one.
func (b *bench) authorized(change func(string) string) dialecttest.Request {
	r := b.signed(b.admin, post2023("DescribeAuth", noRules))
	r.Header["Authorization"] = change(r.Header["Authorization"])
	return r
}

func TestEachPhaseHasItsCode(t *testing.T) {
	t.Parallel()
	b := setup(t)
	replace := func(old, by string) dialecttest.Request {
		return b.authorized(func(s string) string { return strings.Replace(s, old, by, 1) })
	}
	b.admin.token = "STSfake"
	temporary := b.signed(b.admin, post2023("DescribeAuth", noRules))
	b.admin.token = ""
	unsigned := func(target string) dialecttest.Request {
		return dialecttest.Request{Path: target, Body: noRules, Header: map[string]string{"Content-Type": "application/json"}}
	}
	query := func(change func(url.Values)) dialecttest.Request {
		r := b.signed(b.admin, request{action: "DescribeLiveStreamState", version: version2023, method: http.MethodGet, presigned: true})
		q, _ := url.ParseQuery(r.Path[2:])
		change(q)
		r.Path = "/?" + q.Encode()
		return r
	}
	for name, tc := range map[string]struct {
		r      dialecttest.Request
		status int
		code   gen.VolcengineErrorCode
	}{
		"no action":           {unsigned("/?Version=2023-01-01"), 400, gen.VolcengineErrorCodeMissingParameter},
		"no version":          {unsigned("/?Action=DescribeAuth"), 400, gen.VolcengineErrorCodeMissingParameter},
		"an empty version":    {unsigned("/?Action=DescribeAuth&Version="), 400, gen.VolcengineErrorCodeMissingParameter},
		"nothing but a date":  {dialecttest.Request{Path: "/", Header: map[string]string{"X-Date": "x"}}, 400, gen.VolcengineErrorCodeMissingParameter},
		"not signed":          {unsigned("/?Action=DescribeAuth&Version=2023-01-01"), 401, gen.VolcengineErrorCodeMissingAuthenticationToken},
		"a bearer token":      {b.changed("Authorization", "Bearer abc"), 400, gen.VolcengineErrorCodeInvalidAuthorization},
		"no signed date":      {replace(";x-date", ""), 400, gen.VolcengineErrorCodeInvalidAuthorization},
		"no value":            {b.authorized(func(s string) string { return s[:len(s)-64] }), 401, gen.VolcengineErrorCodeMissingSignature},
		"a query undecodable": {dialecttest.Request{Path: "/?Action=A&Version=B&x=%zz"}, 400, gen.VolcengineErrorCodeInvalidParam},
		"another terminator":  {replace("/live/request", "/live/aws4_request"), 400, gen.VolcengineErrorCodeInvalidCredential},
		"another day":         {replace("/2030", "/2031"), 400, gen.VolcengineErrorCodeInvalidCredential},
		"no date":             {b.changed("X-Date", ""), 400, gen.VolcengineErrorCodeMissingRequestInfo},
		"no time":             {b.changed("X-Date", "yesterday"), 400, gen.VolcengineErrorCodeInvalidTimestamp},
		"unknown key":         {replace(b.admin.id, "AKLTunknown"), 401, gen.VolcengineErrorCodeInvalidAccessKey},
		"an older key form":   {replace(b.admin.id, "AKSD0000000000000000000"), 401, gen.VolcengineErrorCodeInvalidAccessKey},
		"wrong signature": {b.authorized(func(s string) string { return s[:len(s)-64] + strings.Repeat("0", 64) }), 401,
			gen.VolcengineErrorCodeSignatureDoesNotMatch},
		"wrong secret":    {b.signed(credentials{id: b.admin.id, secret: b.admin.secret + "x"}, post2023("DescribeAuth", noRules)), 401, gen.VolcengineErrorCodeSignatureDoesNotMatch},
		"another secret":  {b.signed(credentials{id: b.admin.id, secret: b.alice.secret}, post2023("DescribeAuth", noRules)), 401, gen.VolcengineErrorCodeSignatureDoesNotMatch},
		"another region":  {replace("/cn-north-1/", "/us-east-1/"), 401, gen.VolcengineErrorCodeSignatureDoesNotMatch},
		"temporary":       {temporary, 401, gen.VolcengineErrorCodeInvalidSecretToken},
		"unknown action":  {b.signed(b.admin, post2023("DeleteAuth", "{}")), 404, gen.VolcengineErrorCodeInvalidActionOrVersion},
		"another case":    {b.signed(b.admin, post2023("describeauth", "{}")), 404, gen.VolcengineErrorCodeInvalidActionOrVersion},
		"unknown version": {b.signed(b.admin, request{action: "DescribeAuth", version: "2024-01-01"}), 404, gen.VolcengineErrorCodeInvalidActionOrVersion},
		"no right":        {b.signed(b.alice, post2023("DescribeAuth", noRules)), 403, gen.VolcengineErrorCodeAccessDenied},
		"no right either": {b.signed(b.alice, ask("DescribeLiveStreamState", version2020)), 403, gen.VolcengineErrorCodeAccessDenied},
		"unknown before right": {b.signed(b.alice, post2023("Nothing", "")), 404,
			gen.VolcengineErrorCodeInvalidActionOrVersion},
		"a body beside a signed query": {b.signed(b.admin, request{action: "DescribeAuth", version: version2023, body: noRules, presigned: true}), 400,
			gen.VolcengineErrorCodeInvalidAuthorization},
		"a query signed for less": {query(func(q url.Values) { q.Set("X-Expires", "60") }), 401, gen.VolcengineErrorCodeSignatureDoesNotMatch},
		"a query with no value":   {query(func(q url.Values) { q.Del("X-Signature") }), 401, gen.VolcengineErrorCodeMissingSignature},
		"a query of another algorithm": {query(func(q url.Values) { q.Set("X-Algorithm", "HMAC-SHA1") }), 400,
			gen.VolcengineErrorCodeInvalidAuthorization},
		"a query with a token": {query(func(q url.Values) { q.Set("X-Security-Token", "x") }), 401, gen.VolcengineErrorCodeInvalidSecretToken},
	} {
		r := b.send(t, tc.r)
		e := r.fails(t, tc.status, tc.code)
		if tc.status == http.StatusUnauthorized && r.Header.Get("WWW-Authenticate") != "HMAC-SHA256" {
			t.Errorf("%s: headers %v", name, r.Header)
		}
		if strings.Contains(e.Message, b.admin.id) {
			t.Errorf("%s: %s", name, e.Message)
		}
		dialecttest.CheckNothingLeaked(t, b.server, dialecttest.Request{}, r.Answer)
		dialecttest.CheckLoggedOnce(t, b.server.Log, r.Answer)
	}
}

func TestAnotherServiceIsNotHere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.signed(b.admin, post2023("DescribeAuth", noRules))
	date, host := r.Header["X-Date"], strings.TrimPrefix(b.server.URL, "http://")
	scope := date[:8] + "/cn-north-1/vod/request"
	text := "POST\n/\nAction=DescribeAuth&Version=2023-01-01\nhost:" + host + "\nx-date:" + date + "\n\nhost;x-date\n" + sum(noRules)
	r.Header["Authorization"] = "HMAC-SHA256 Credential=" + b.admin.id + "/" + scope + ", SignedHeaders=host;x-date, Signature=" + signatureOf(b.admin.secret, date, scope, text)
	b.send(t, r).fails(t, http.StatusNotFound, gen.VolcengineErrorCodeServiceNotFound)
}

func TestASignatureIsGoodForAQuarterOfAnHour(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.signed(b.admin, post2023("DescribeAuth", noRules))
	b.clock.advance(15 * time.Minute)
	if r := b.send(t, old); r.Status != http.StatusOK {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	b.clock.advance(time.Second)
	b.send(t, old).fails(t, http.StatusBadRequest, gen.VolcengineErrorCodeInvalidTimestamp)
	b.clock.advance(time.Hour)
	early := b.signed(b.admin, post2023("DescribeAuth", noRules))
	b.clock.advance(-15*time.Minute - time.Second)
	b.send(t, early).fails(t, http.StatusBadRequest, gen.VolcengineErrorCodeInvalidTimestamp)
	b.clock.advance(time.Second)
	if r := b.send(t, early); r.Status != http.StatusOK {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

func TestAKeyEndsWithItsHolder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	system := account.System()
	second := b.addKey(t, "second", true)
	try := func(by credentials) reply {
		return b.send(t, b.signed(by, post2023("GeneratePushURL", `{"Vhost":"a","App":"b","Stream":"c"}`)))
	}
	if r := try(second); r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	no, yes := false, true
	if _, err := b.accounts.Update(t.Context(), system, "second", account.Changes{Admin: &no}); err != nil {
		t.Fatal(err)
	}
	try(second).fails(t, http.StatusForbidden, gen.VolcengineErrorCodeAccessDenied)
	if _, err := b.accounts.Update(t.Context(), system, "second", account.Changes{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	disabled := try(second).fails(t, http.StatusUnauthorized, gen.VolcengineErrorCodeInvalidAccessKey)
	if err := b.accounts.RevokeAccessKey(t.Context(), system, b.alice.id); err != nil {
		t.Fatal(err)
	}
	revoked := try(b.alice).fails(t, http.StatusUnauthorized, gen.VolcengineErrorCodeInvalidAccessKey)
	unknown := try(credentials{id: "AKSD99999999999999999999", secret: "x"}).fails(t, http.StatusUnauthorized, gen.VolcengineErrorCodeInvalidAccessKey)
	if disabled != revoked || revoked != unknown {
		t.Errorf("who does not hold a key learns what became of it: %+v, %+v, %+v", disabled, revoked, unknown)
	}
}

func TestLimitsAreOfEachKeyActionAndSecond(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.addKey(t, "other", true)
	update := `{"Vhost":"v","SceneType":"push","AuthDetailList":[{"SecretKey":"k","EncryptionAlgorithm":"md5"}]}`
	for _, r := range []request{post2020("DescribeAuth", noRules), post2023("UpdateAuthKey", update)} {
		for i := range perSecond {
			if got := b.call(t, r); got.Status != http.StatusOK {
				t.Fatalf("%s %d: %d %s", r.action, i, got.Status, got.Body)
			}
		}
		got := b.call(t, r)
		got.fails(t, http.StatusTooManyRequests, gen.VolcengineErrorCodeFlowLimitExceeded)
		if got.Header.Get("Retry-After") != "1" {
			t.Errorf("headers %v", got.Header)
		}
		if got := b.send(t, b.signed(other, r)); got.Status != http.StatusOK {
			t.Errorf("another key is refused: %d %s", got.Status, got.Body)
		}
	}
	for range 2 * perSecond {
		b.call(t, post2023("GeneratePushURL", `{"Vhost":"a","App":"b","Stream":"c"}`))
	}
	b.clock.advance(100 * time.Millisecond) // one of ten per second
	if got := b.call(t, post2020("DescribeAuth", noRules)); got.Status != http.StatusOK {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	b.call(t, post2020("DescribeAuth", noRules)).fails(t, http.StatusTooManyRequests, gen.VolcengineErrorCodeFlowLimitExceeded)
	// Who has no right is told so, and does not use up anything.
	b.send(t, b.signed(b.alice, post2020("DescribeAuth", noRules))).fails(t, http.StatusForbidden, gen.VolcengineErrorCodeAccessDenied)
}

func TestLimitsAreBounded(t *testing.T) {
	t.Parallel()
	var l limits
	now := time.Unix(0, 0)
	for i := range 2 * limitersKept {
		l.allow(fmt.Sprint(i), "DescribeAuth", now)
	}
	if n := l.known.Len(); n != limitersKept {
		t.Errorf("%d limiters", n)
	}
}

func TestMethodsAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, a := range actions {
		wrong := http.MethodGet
		if a.method == http.MethodGet {
			wrong = http.MethodPost
		}
		r := b.bad(t, request{action: name, version: version2020, method: wrong})
		r.fails(t, http.StatusMethodNotAllowed, gen.VolcengineErrorCodeMethodNotAllowed)
		if r.Header.Get("Allow") != a.method {
			t.Errorf("%s: Allow %q", name, r.Header.Get("Allow"))
		}
	}
	r := b.bad(t, request{action: "DescribeAuth", version: version2020, method: http.MethodPut})
	r.fails(t, http.StatusMethodNotAllowed, gen.VolcengineErrorCodeMethodNotAllowed)
	if !strings.Contains(r.Header.Get("Allow"), "POST") {
		t.Errorf("Allow %q", r.Header.Get("Allow"))
	}
}

func TestTheRootBelongsToOthersToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.server.Client = nil // no spec: who answers here depends on what else is registered
	for _, target := range []string{"/", "/?page=1", "/?action=DescribeAuth"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead} {
			r := b.send(t, dialecttest.Request{Method: method, Path: target, Header: map[string]string{"Authorization": "Bearer x"}})
			if r.Status != http.StatusNotFound || strings.Contains(string(r.Body), "ResponseMetadata") {
				t.Errorf("%s %s: %d %s", method, target, r.Status, r.Body)
			}
		}
	}
	if r := b.send(t, dialecttest.Request{Method: http.MethodGet, Path: "/none?Action=A&Version=B"}); strings.Contains(string(r.Body), "ResponseMetadata") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

func TestEveryAnswerBeginsWithWhatWasAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, version := range []string{version2020, version2023} {
		r := b.call(t, request{action: "DescribeAuth", version: version, body: noRules})
		var m struct{ ResponseMetadata map[string]any }
		if err := json.Unmarshal(r.Body, &m); err != nil {
			t.Fatal(err)
		}
		id, _ := m.ResponseMetadata["RequestId"].(string)
		want := "20300517120000" + strings.ToUpper(r.Header.Get("X-Request-Id")[:20])
		if id != want || len(id) != 34 || !regexp.MustCompile(`^\d{14}[0-9A-F]{20}$`).MatchString(id) {
			t.Errorf("RequestId %q, want %q", id, want)
		}
		again, has := m.ResponseMetadata["RequestID"]
		if has != (version == version2020) || has && again != id {
			t.Errorf("%s: RequestID %v %v", version, again, has)
		}
		if m.ResponseMetadata["Action"] != "DescribeAuth" || m.ResponseMetadata["Version"] != version || m.ResponseMetadata["Service"] != "live" ||
			m.ResponseMetadata["Region"] != "cn-north-1" {
			t.Errorf("%v", m.ResponseMetadata)
		}
		if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", r.Header)
		}
	}
}

func TestStrangeNamesAreNotEchoed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{strings.Repeat("A", 65), "流", "A\x00"} {
		r := b.send(t, dialecttest.Request{Path: "/?Version=1&Action=" + url.QueryEscape(name)})
		r.fails(t, http.StatusUnauthorized, gen.VolcengineErrorCodeMissingAuthenticationToken)
		if !strings.Contains(string(r.Body), `"Action":""`) {
			t.Errorf("%s", r.Body)
		}
	}
}

func TestAPresignedURLOpensAQuery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := ask("DescribeLiveStreamState", version2023, "Vhost", pushHost, "App", "live", "Stream", "x", "X-Expires", "3600")
	r.presigned = true
	made := b.signed(b.admin, r)
	b.clock.advance(time.Hour)
	if got := (reply{dialecttest.SendContext(t.Context(), t, b.server, made)}); got.Status != http.StatusOK {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	b.clock.advance(time.Second)
	b.send(t, made).fails(t, http.StatusBadRequest, gen.VolcengineErrorCodeInvalidTimestamp)
}

func TestWhatASignatureDoesNotCoverIsNotRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := ask("DescribeLiveStreamState", version2023, "App", "live", "Stream", "x")
	r.presigned = true
	made := b.signed(b.admin, r)
	made.Path += "&Vhost=" + pushHost
	b.send(t, made).fails(t, http.StatusBadRequest, gen.VolcengineErrorCodeInvalidParam) // neither Vhost nor Domain
}

func TestBodiesMayComeInChunks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.signed(b.admin, post2023("DescribeAuth", noRules))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+r.Path, struct{ *strings.Reader }{strings.NewReader(r.Body)})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req) // the length is not known to it
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestEveryKindOfErrorHasACode(t *testing.T) {
	t.Parallel()
	s := &Server{Now: time.Now}
	for _, kind := range errs.Kinds {
		w := httptest.NewRecorder()
		s.writeError(w, httptest.NewRequest(http.MethodPost, "/?Action=A&Version=B", nil), errs.New(kind, "reason", "a message").With(errors.New("hidden")))
		var f gen.VolcengineFailure
		if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		e := f.ResponseMetadata.Error
		if w.Code < 400 || e.CodeN == 0 || !e.Code.Valid() || strings.Contains(w.Body.String(), "hidden") {
			t.Errorf("%s: %d %s", kind, w.Code, w.Body)
		}
		if throttled := kind == errs.RateLimited || kind == errs.Unavailable; throttled != (w.Header().Get("Retry-After") == "1") {
			t.Errorf("%s: Retry-After %q", kind, w.Header().Get("Retry-After"))
		}
	}
	if _, ok := codesByKind[errs.Kind(255)]; ok || codeOf(errs.New(errs.Kind(255), "x", "x")).status != http.StatusInternalServerError {
		t.Error("a kind of a later day is no internal error")
	}
}
