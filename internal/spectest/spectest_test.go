package spectest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
	textType = "text/plain; charset=utf-8"
)

// recorder stands in for the test that a Validator would fail.
type recorder struct {
	testing.TB
	faults []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// reply is a canned response; it stands in for the server.
type reply struct {
	status      int
	contentType string
	header      http.Header
	body        string
}

func (r reply) RoundTrip(req *http.Request) (*http.Response, error) {
	header := r.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if r.contentType != "" {
		header.Set("Content-Type", r.contentType)
	}
	return &http.Response{
		StatusCode: r.status, Header: header, Request: req,
		Body: io.NopCloser(strings.NewReader(r.body)),
	}, nil
}

func request(ctx context.Context, t *testing.T, method, target, contentType, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1:9"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req
}

// exchange sends one request through a fresh Validator and returns the faults
// that it found.
func exchange(t *testing.T, req *http.Request, rep reply) (faults []string, spec *spectest.Validator) {
	t.Helper()
	rec := &recorder{TB: t}
	spec = spectest.New(rec)
	resp, err := spec.Transport(rep).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, _ := io.ReadAll(resp.Body); string(got) != rep.body {
		t.Errorf("response body became %q, want %q", got, rep.body)
	}
	return rec.faults, spec
}

const room = `{"code":200,"id":"c8d619e2e7ec445db8a1e1ebf967d6c3","created_at":"2023-11-08T06:13:20+08:00",` +
	`"updated_at":"2023-11-08T06:13:20+08:00","title":"t","notice":"","cover_url":"","anchor_id":"alice","anchor_nick":"",` +
	`"extends":"","status":0,"mode":0,"chat_id":"c8d619e2e7ec445db8a1e1ebf967d6c3","meeting_id":"","meeting_info":"","vod_id":"",` +
	`"user_status":{"mute":false,"mute_source":[]},` +
	`"pull_url_info":{"rtmp_url":"rtmp://h/live/x","rts_url":"","flv_url":"http://h/live/x.flv","hls_url":"http://h/live/x.m3u8"}}`

const srsPublish = `{"action":"on_publish","client_id":%s,"ip":"192.0.2.1","vhost":"__defaultVhost__","app":"live","stream":"x","param":"?token=a"}`

// A real body of nginx-rtmp whose client tried to forge fields.
const nginxPublish = "app=live&flashver=FMLE/3.0%20(compatible%3B%20Lavf59.27&swfurl=&tcurl=rtmp://127.0.0.1:21935/live&pageurl=" +
	"&addr=127.0.0.1&clientid=264&call=publish&name=room1&type=live&call=play&name=evil&addr=6.6.6.6&clientid=999&app=admin&q=a%20b%26c"

func TestMatchingExchangesPass(t *testing.T) {
	t.Parallel()
	total := http.Header{"X-Total-Count": {"1"}}
	unauthorized := http.Header{"Www-Authenticate": {"Bearer"}}
	form := "username=alice&password=s3cret"
	parts, partsType := multipartForm(t, "username", "alice", "password", "s3cret")

	for name, tc := range map[string]struct {
		method, target, contentType, body string
		reply                             reply
		operation                         string // covered; empty for a refusal
	}{
		"form login":           {"POST", "/auth/token", formType, form, reply{200, jsonType, nil, `{"access_token":"a.b.c","token_type":"bearer"}`}, "loginForAccessToken"},
		"multipart login":      {"POST", "/auth/token", partsType, parts, reply{200, jsonType, nil, `{"access_token":"a.b.c","token_type":"bearer"}`}, "loginForAccessToken"},
		"refused login":        {"POST", "/auth/token", formType, form, reply{401, jsonType, unauthorized, `{"detail":"Incorrect username or password"}`}, ""},
		"null names":           {"GET", "/users/me", "", "", reply{200, jsonType, nil, `{"username":"a","email":null,"full_name":null,"permission_level":0}`}, "readUsersMe"},
		"loc of both types":    {"POST", "/live/create_token?stream=x&level=0", "", "", reply{422, jsonType, nil, `{"detail":[{"loc":["body",16],"msg":"m","type":"value_error"}]}`}, ""},
		"bare string":          {"DELETE", "/live/destroy_token?token=x", "", "", reply{200, jsonType, nil, `"OK"`}, "destroyLiveToken"},
		"bare empty array":     {"GET", "/live/list_tokens", "", "", reply{200, jsonType, nil, `[]`}, "listLiveTokens"},
		"nulls of Android":     {"POST", "/api/v2/live/create", jsonType, `{"title":"t","notice":null,"anchor":"alice","anchor_nick":null,"mode":0,"extends":null,"im_server":["aliyun_new"]}`, reply{200, jsonType, nil, room}, "createRoomV2"},
		"null mode":            {"POST", "/api/v1/live/create", jsonType, `{"title":"t","mode":null,"im_server":null}`, reply{200, jsonType, nil, room}, "createRoomV1"},
		"unknown fields":       {"POST", "/api/v1/live/get", jsonType + "; charset=utf-8", `{"id":"x","what":1}`, reply{200, jsonType, nil, room}, "getRoom"},
		"array with a total":   {"POST", "/api/v1/live/list", jsonType, `{"page_num":1,"page_size":10,"status":null}`, reply{200, jsonType, total, `[` + room + `]`}, "listRooms"},
		"null member fields":   {"POST", "/api/v1/live/updateMeetingInfo", jsonType, `{"id":"x","members":[{"user_id":"a","user_avatar":null,"mic_opened":null}]}`, reply{200, jsonType, nil, `{"code":200,"members":[]}`}, "updateMeetingInfo"},
		"one byte for SRS":     {"POST", "/callback/on_publish?secret=s", jsonType, fmt.Sprintf(srsPublish, `"kb3908d5"`), reply{200, textType, nil, `0`}, "srsOnPublish"},
		"number from SRS 3":    {"POST", "/callback/on_publish", jsonType, fmt.Sprintf(srsPublish, `1234567`), reply{200, textType, nil, `0`}, "srsOnPublish"},
		"object for old SRS 5": {"POST", "/callback/on_publish", jsonType, fmt.Sprintf(srsPublish, `"a"`), reply{200, jsonType, nil, `{"code":0}`}, "srsOnPublish"},
		"refused publisher":    {"POST", "/callback/on_publish", jsonType, fmt.Sprintf(srsPublish, `"a"`), reply{403, jsonType, nil, `{"detail":"signature_mismatch"}`}, ""},
		"empty body for RTMP":  {"POST", "/callback/nginx-rtmp?secret=s", formType, nginxPublish, reply{200, "", nil, ``}, "nginxRtmpCallback"},
		"no content":           {"POST", "/api/v1/logout", "", "", reply{204, "", nil, ``}, "logout"},
		"path parameter":       {"PATCH", "/api/v1/accounts/alice%40b", jsonType, `{"disabled":true}`, reply{404, jsonType, nil, `{"code":"not_found","message":"m","request_id":"9f86d081884c7d659a2feaa0"}`}, ""},
		"plain text":           {"GET", "/healthz", "", "", reply{200, textType, nil, "ok\n"}, "healthz"},
		"metrics":              {"GET", "/metrics", "", "", reply{200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", nil, "up 1\n"}, "metrics"},
		"yaml document":        {"GET", "/openapi.yaml", "", "", reply{200, "application/yaml", nil, "openapi: 3.0.3\n"}, "openapiYAML"},
		"json document":        {"GET", "/openapi.json", "", "", reply{200, jsonType, nil, `{"openapi":"3.0.3"}`}, "openapiJSON"},
		"key set":              {"GET", "/.well-known/jwks.json", "", "", reply{200, jsonType, nil, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","use":"sig","alg":"EdDSA","x":"AA"}]}`}, "jwks"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults, spec := exchange(t, request(t.Context(), t, tc.method, tc.target, tc.contentType, tc.body), tc.reply)
			if len(faults) > 0 {
				t.Errorf("faults: %q", faults)
			}
			var want []string
			if tc.operation != "" {
				want = []string{tc.operation}
			}
			if got := spec.Covered(); !slices.Equal(got, want) {
				t.Errorf("covered %q, want %q", got, want)
			}
		})
	}
}

func multipartForm(t *testing.T, pairs ...string) (body, contentType string) {
	t.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for pair := range slices.Chunk(pairs, 2) {
		if err := w.WriteField(pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String(), w.FormDataContentType()
}

func TestResponsesThatDoNotMatchFailTheTest(t *testing.T) {
	t.Parallel()
	get := `{"id":"x"}`
	publish := fmt.Sprintf(srsPublish, `"a"`)
	withMetrics := func(metrics string) string {
		return strings.TrimSuffix(room, "}") + `,"metrics":` + metrics + `}`
	}

	for name, tc := range map[string]struct {
		method, target, contentType, body string
		reply                             reply
	}{
		"extra key in metrics":      {"POST", "/api/v1/live/get", jsonType, get, reply{200, jsonType, nil, withMetrics(`{"like_count":0,"online_count":0,"pv":0,"uv":0,"total_count":0}`)}},
		"missing key in metrics":    {"POST", "/api/v1/live/get", jsonType, get, reply{200, jsonType, nil, withMetrics(`{"like_count":0,"online_count":0,"pv":0}`)}},
		"metrics over int32":        {"POST", "/api/v1/live/get", jsonType, get, reply{200, jsonType, nil, withMetrics(`{"like_count":0,"online_count":0,"pv":2147483648,"uv":0}`)}},
		"null link_info":            {"POST", "/api/v1/live/get", jsonType, get, reply{200, jsonType, nil, strings.TrimSuffix(room, "}") + `,"link_info":null}`}},
		"status 3":                  {"POST", "/api/v1/live/get", jsonType, get, reply{200, jsonType, nil, strings.Replace(room, `"status":0`, `"status":3`, 1)}},
		"null members":              {"POST", "/api/v1/live/getMeetingInfo", jsonType, get, reply{200, jsonType, nil, `{"code":200,"members":null}`}},
		"null instead of a list":    {"GET", "/live/list_tokens", "", "", reply{200, jsonType, nil, `null`}},
		"object instead of a list":  {"POST", "/api/v1/live/list", jsonType, `{}`, reply{200, jsonType, http.Header{"X-Total-Count": {"0"}}, `{"live_list":[]}`}},
		"missing total":             {"POST", "/api/v1/live/list", jsonType, `{}`, reply{200, jsonType, nil, `[]`}},
		"line end for SRS":          {"POST", "/callback/on_publish", jsonType, publish, reply{200, textType, nil, "0\n"}},
		"quoted zero for SRS":       {"POST", "/callback/on_publish", jsonType, publish, reply{200, jsonType, nil, `"0"`}},
		"unknown reason":            {"POST", "/callback/on_publish", jsonType, publish, reply{403, jsonType, nil, `{"detail":"because"}`}},
		"undocumented status":       {"POST", "/callback/on_publish", jsonType, publish, reply{302, "", nil, ``}},
		"status 202":                {"POST", "/api/v1/live/get", jsonType, get, reply{202, jsonType, nil, room}},
		"body where there is none":  {"POST", "/callback/nginx-rtmp", formType, nginxPublish, reply{200, textType, nil, "ok"}},
		"envelope of another":       {"POST", "/api/v1/live/get", jsonType, get, reply{404, jsonType, nil, `{"detail":"Not Found"}`}},
		"html error":                {"POST", "/api/v1/live/get", jsonType, get, reply{500, "text/html", nil, `<h1>oops</h1>`}},
		"refusal without challenge": {"GET", "/users/me", "", "", reply{401, jsonType, nil, `{"detail":"Not authenticated"}`}},
		"throttled without a time":  {"POST", "/login", jsonType, `{"username":"a","password":"b"}`, reply{429, jsonType, nil, `{"code":429,"message":"m"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults, spec := exchange(t, request(t.Context(), t, tc.method, tc.target, tc.contentType, tc.body), tc.reply)
			if len(faults) != 1 || !strings.HasPrefix(faults[0], "response ") {
				t.Errorf("faults %q, want one about the response", faults)
			}
			if got := spec.Covered(); len(got) != 0 {
				t.Errorf("covered %q, want nothing", got)
			}
		})
	}
}

func TestRequestsThatDoNotMatchFailTheTestUnlessMarked(t *testing.T) {
	t.Parallel()
	refused := reply{422, jsonType, nil, `{"detail":[]}`}
	appRefused := reply{400, jsonType, nil, `{"code":400,"message":"m"}`}

	for name, tc := range map[string]struct {
		method, target, contentType, body string
		reply                             reply
	}{
		"missing field":          {"POST", "/api/v1/live/get", jsonType, `{}`, appRefused},
		"wrong type":             {"POST", "/api/v1/live/get", jsonType, `{"id":7}`, appRefused},
		"not JSON":               {"POST", "/api/v1/live/get", jsonType, `{`, appRefused},
		"title too long":         {"POST", "/api/v1/live/create", jsonType, `{"title":"` + strings.Repeat("x", 64) + `"}`, appRefused},
		"unknown message server": {"POST", "/api/v2/live/create", jsonType, `{"title":"t","im_server":["rongyun"]}`, appRefused},
		"no message server":      {"POST", "/api/v2/live/create", jsonType, `{"title":"t","im_server":[]}`, appRefused},
		"form without password":  {"POST", "/auth/token", formType, url.Values{"username": {"a"}}.Encode(), refused},
		"login as JSON":          {"POST", "/auth/token", jsonType, `{"username":"a","password":"b"}`, refused},
		"level is no number":     {"POST", "/live/create_token?stream=x&level=abc", "", "", refused},
		"stream missing":         {"POST", "/live/create_token", "", "", refused},
		"body where none is due": {"GET", "/users/me", jsonType, `{}`, reply{200, jsonType, nil, `{"username":"a","email":null,"full_name":null,"permission_level":0}`}},
		"unknown path":           {"GET", "/nowhere", "", "", reply{404, jsonType, nil, `{"detail":"Not Found"}`}},
		"unknown method":         {"PUT", "/users/me", "", "", reply{405, jsonType, nil, `{"detail":"Method Not Allowed"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults, _ := exchange(t, request(t.Context(), t, tc.method, tc.target, tc.contentType, tc.body), tc.reply)
			if len(faults) != 1 || strings.HasPrefix(faults[0], "response ") {
				t.Errorf("faults %q, want one about the request", faults)
			}

			marked := request(spectest.BadRequest(t.Context()), t, tc.method, tc.target, tc.contentType, tc.body)
			faults, spec := exchange(t, marked, tc.reply)
			if len(faults) != 0 {
				t.Errorf("marked request has faults: %q", faults)
			}
			if got := spec.Covered(); len(got) != 0 {
				t.Errorf("marked request covered %q", got)
			}
		})
	}
}

func TestMarkedRequestStillHasItsResponseChecked(t *testing.T) {
	t.Parallel()
	req := request(spectest.BadRequest(t.Context()), t, "POST", "/api/v1/live/get", jsonType, `{}`)
	faults, _ := exchange(t, req, reply{400, jsonType, nil, `{"detail":"wrong envelope"}`})
	if len(faults) != 1 {
		t.Errorf("faults %q, want one", faults)
	}
}

// roundTrip is a base transport made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestServerGetsTheRequestAsSent(t *testing.T) {
	t.Parallel()
	const body = `{ "page_size" : 7 }` // no defaults filled in, no spaces lost
	spec := spectest.New(t)
	base := roundTrip(func(req *http.Request) (*http.Response, error) {
		got, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		if string(got) != body || req.ContentLength != int64(len(body)) {
			t.Errorf("server got %q with length %d, want %q", got, req.ContentLength, body)
		}
		return reply{200, jsonType, http.Header{"X-Total-Count": {"0"}}, `[]`}.RoundTrip(req)
	})
	resp, err := spec.Transport(base).RoundTrip(request(t.Context(), t, "POST", "/api/v1/live/list", jsonType, body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

func TestTransportReturnsTheErrorOfItsBase(t *testing.T) {
	t.Parallel()
	rec := &recorder{TB: t}
	base := roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
	_, err := spectest.New(rec).Transport(base).RoundTrip(request(t.Context(), t, "GET", "/healthz", "", "")) //nolint:bodyclose // there is no response
	if err != io.ErrUnexpectedEOF || len(rec.faults) != 0 {
		t.Errorf("error %v and faults %q, want the error alone", err, rec.faults)
	}
}

func TestCoveredAndUncoveredSplitTheOperations(t *testing.T) {
	t.Parallel()
	faults, spec := exchange(t, request(t.Context(), t, "GET", "/healthz", "", ""), reply{200, textType, nil, "ok"})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	covered, uncovered := spec.Covered(), spec.Uncovered()
	if !slices.Equal(covered, []string{"healthz"}) {
		t.Errorf("covered %q", covered)
	}
	if slices.Contains(uncovered, "healthz") || !slices.Contains(uncovered, "readyz") || !slices.IsSorted(uncovered) {
		t.Errorf("uncovered %q", uncovered)
	}
}
