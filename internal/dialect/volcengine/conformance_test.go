package volcengine

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

// requestID is for the conformance suite: the body has the time and the
// beginning of the id, in the vendor's form.
func requestID(a dialecttest.Answer) (said, want string) {
	var f gen.VolcengineFailure
	_ = json.Unmarshal(a.Body, &f) // a fault leaves it empty
	id, header := f.ResponseMetadata.RequestID, strings.ToUpper(a.Header.Get("X-Request-Id"))
	return id[min(14, len(id)):], header[:min(20, len(header))]
}

// checkEnvelope is for the conformance suite: every refusal has the vendor's
// form, with a code that goes with its status.
func checkEnvelope(t *testing.T, a dialecttest.Answer) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(a.Body)))
	d.DisallowUnknownFields()
	var f gen.VolcengineFailure
	if err := d.Decode(&f); err != nil {
		t.Fatalf("not the envelope: %v in %s", err, a.Body)
	}
	m := f.ResponseMetadata
	if m.Error.Message == "" || m.Error.CodeN == 0 || m.Service != "live" || !regexp.MustCompile(`^[0-9]{14}[0-9A-F]{20}$`).MatchString(m.RequestID) {
		t.Errorf("%+v", m)
	}
	if a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.Header)
	}
	known := false
	for _, c := range codesByReason {
		known = known || c == code{m.Error.Code, m.Error.CodeN, a.Status}
	}
	for _, c := range codesByKind {
		known = known || c == code{m.Error.Code, m.Error.CodeN, a.Status}
	}
	if !known {
		t.Errorf("%d %s %d is not in the table", a.Status, m.Error.Code, m.Error.CodeN)
	}
}

// every is one well-formed call of each action and version.
func every() []request {
	const stream = `{"Vhost":"push.example.com","App":"live","Stream":"x"}`
	bodies := map[string]string{
		"DescribeAuth": noRules, "UpdateAuthKey": twoKeys, "EnableAuth": `{"Vhost":"push.example.com","App":"live","SceneType":"push"}`,
		"DisableAuth": `{"Vhost":"push.example.com","App":"live","SceneType":"push"}`, "GeneratePushURL": stream,
		"GeneratePlayURL": `{"Domain":"pull.example.com","App":"live","Stream":"x","StreamType":"source"}`,
		"ForbidStream":    stream, "ResumeStream": stream, "KillStream": stream,
	}
	pairs := map[string][]string{
		"DescribeLiveStreamState":           {"Vhost", pushHost, "App", "live", "Stream", "x"},
		"DescribeLiveStreamInfoByPage":      {"PageNum", "1", "PageSize", "10"},
		"DescribeClosedStreamInfoByPage":    {"PageNum", "1", "PageSize", "10", "EndTimeFrom", "2030-05-17T00:00:00Z", "EndTimeTo", "2030-05-18T00:00:00Z"},
		"DescribeForbiddenStreamInfoByPage": {"PageNum", "1", "PageSize", "10"},
	}
	var out []request
	for name, a := range actions {
		for _, version := range []string{version2020, version2023} {
			switch {
			case a.only != "" && a.only != version:
			case a.method == http.MethodGet:
				out = append(out, ask(name, version, pairs[name]...))
			default:
				out = append(out, request{action: name, version: version, body: bodies[name]})
			}
		}
	}
	return out
}

func (r request) title() string { return r.action + " " + r.version }

func TestConformance(t *testing.T) {
	t.Parallel()
	type suiteCase = dialecttest.Case[*bench]
	challenge := map[string]string{"WWW-Authenticate": "HMAC-SHA256"}
	var cases []suiteCase
	for _, r := range every() {
		cases = append(cases,
			suiteCase{Fault: dialecttest.NoCredential, Name: r.title(), Status: 401, Header: challenge, Shared: true, Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
				req := b.signed(b.admin, r)
				req.Header = nil
				return req
			})},
			suiteCase{Fault: dialecttest.BadCredential, Name: r.title(), Status: 401, Header: challenge, Shared: true, Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
				return b.signed(credentials{id: b.admin.id, secret: "guess"}, r)
			})},
			suiteCase{Fault: dialecttest.OtherOwner, Name: r.title(), Status: 403, Shared: true, Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return b.signed(b.alice, r) })},
			suiteCase{Fault: "a changed body", Name: r.title(), Status: 401, Shared: true, Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
				req := b.signed(b.admin, r)
				req.Body += " "
				return req
			})},
			suiteCase{Fault: dialecttest.ExpiredCredential, Name: r.title(), Status: 400, Shared: true, Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
				req := b.signed(b.admin, r)
				b.clock.advance(15*time.Minute + time.Second)
				return req
			})})
	}
	call := func(r request) func(*testing.T, *bench) dialecttest.Request {
		return dialecttest.Fixed(func(b *bench) dialecttest.Request { return b.signed(b.admin, r) })
	}
	dialecttest.Run(t, dialecttest.Suite[*bench]{
		Setup:     setup,
		Server:    func(b *bench) dialecttest.Server { return b.server },
		Schema:    func(int) string { return "VolcengineFailure" },
		RequestID: requestID,
		Envelope:  checkEnvelope,
		Cases: append(cases, []suiteCase{
			{Fault: dialecttest.UnknownOperation, Name: "action", Status: 404, Request: call(post2020("CreateDomain", "{}"))},
			{Fault: dialecttest.UnknownOperation, Name: "action of the other version", Status: 404, Request: call(post2023("EnableAuth", "{}"))},
			{Fault: dialecttest.WrongMethod, Name: "DELETE", Status: 405, Request: call(request{action: "DescribeAuth", version: version2020, method: http.MethodDelete})},
			{Fault: dialecttest.WrongMethod, Name: "a read by POST", Status: 405, Header: map[string]string{"Allow": "GET"}, Request: call(post2020("DescribeLiveStreamState", "{}"))},
			{Fault: dialecttest.Malformed, Name: "JSON", Status: 400, Request: call(post2020("UpdateAuthKey", `{"Vhost":`))},
			{Fault: dialecttest.Malformed, Name: "JSON with a secret", Status: 400, Request: call(post2020("UpdateAuthKey", twoKeys+"}"))},
			{Fault: dialecttest.WrongType, Name: "beside a secret", Status: 400,
				Request: call(post2020("UpdateAuthKey", `{"Vhost":7,"AuthDetailList":[{"SecretKey":"a secret of some length"}]}`))},
			{Fault: dialecttest.OverLong, Name: "secret", Status: 400,
				Request: call(post2020("UpdateAuthKey", `{"Vhost":"v","SceneType":"push","AuthDetailList":[{"SecretKey":"`+strings.Repeat("0secret", 99)+`"}]}`))},
			{Fault: dialecttest.Malformed, Name: "number in the query", Status: 400, Request: call(ask("DescribeLiveStreamInfoByPage", version2020, "PageNum", "one", "PageSize", "1"))},
			{Fault: dialecttest.MissingField, Name: "AuthDetailList", Status: 400, Request: call(post2020("UpdateAuthKey", `{"Vhost":"v","SceneType":"push"}`))},
			{Fault: dialecttest.MissingField, Name: "PageSize", Status: 400, Request: call(ask("DescribeLiveStreamInfoByPage", version2020, "PageNum", "1"))},
			{Fault: dialecttest.WrongType, Name: "ValidDuration", Status: 400, Request: call(post2020("UpdateAuthKey", `{"Vhost":"v","ValidDuration":"x"}`))},
			{Fault: dialecttest.OverLong, Name: "App", Status: 400, Request: call(post2020("DescribeAuth", `{"Vhost":"v","App":"`+strings.Repeat("x", 31)+`"}`))},
			{Fault: dialecttest.NotFound, Name: "rule", Status: 403, Request: call(post2020("EnableAuth", `{"Vhost":"v","SceneType":"push"}`))},
			{Fault: dialecttest.Oversize, Name: "JSON", Status: 413, Request: call(post2020("DescribeAuth", `{"Vhost":"`+strings.Repeat("x", maxBody)+`"}`))},
			{Fault: dialecttest.Panic, Name: "in an action", Status: 500, Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
				b.app.Rules = nil
				return b.signed(b.admin, post2020("DescribeAuth", noRules))
			})},
		}...),
		NotApplicable: map[dialecttest.Fault]string{dialecttest.Conflict: "every write says how things shall be, so none finds them in its way"},
	})
}

func TestADatabaseThatIsAwayIsToldAsSuch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pool.Close()
	for _, r := range every() {
		if strings.HasPrefix(r.action, "Generate") {
			continue // from memory alone
		}
		b.clock.advance(time.Second)
		got := b.call(t, r)
		got.fails(t, http.StatusServiceUnavailable, gen.VolcengineErrorCodeServiceUnavailableTemp)
		if got.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: Retry-After %q", r.title(), got.Header.Get("Retry-After"))
		}
	}
	if got := b.call(t, post2020("GeneratePushURL", `{"Vhost":"a","App":"b","Stream":"c"}`)); got.Status != http.StatusOK {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}
