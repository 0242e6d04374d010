package appserver

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

const (
	loginPath = "/api/v1/live/login"
	v2Token   = "/api/v2/live/token"
)

func (b *bench) issue(t *testing.T, servers, more string) api.IMTokenV2 {
	t.Helper()
	r := b.send(t, v2Token, b.alice, `{"device_id":"x","device_type":"web","im_server":`+servers+more+`}`).want(t, 200)
	var out api.IMTokenV2
	decode(t, r.Body, &out)
	return out
}

func TestTokensAreExactlyThoseAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for servers, want := range map[string][2]bool{
		`["aliyun_new"]`:              {true, false},
		`["aliyun_old"]`:              {false, true},
		`["aliyun_old","aliyun_new"]`: {true, true},
		`["aliyun_new","aliyun_new"]`: {true, false},
	} {
		got := b.issue(t, servers, "")
		if (got.AliyunNewIM != nil) != want[0] || (got.AliyunOldIM != nil) != want[1] {
			t.Errorf("%s: %+v", servers, got)
		}
	}
	for _, servers := range []string{`[]`, `null`, `[null]`, `[""]`, `["rongyun"]`, `["aliyun_new","rongyun"]`} {
		b.bad(t, v2Token, b.alice, `{"device_id":"x","device_type":"web","im_server":`+servers+`}`).want(t, 400)
	}
}

func TestTheRoleOfAClientIsNotHashed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, role := range []string{``, `,"role":null`, `,"role":"user"`, `,"role":"admin"`} {
		im := b.issue(t, `["aliyun_new"]`, role).AliyunNewIM
		want := urlsign.IMToken(im.AppID, imAppKey, "alice", im.Auth.Nonce, im.Auth.Timestamp, "")
		if im.AppToken != want || im.Auth.Role != "" || im.Auth.UserID != "alice" {
			t.Errorf("with %q: %+v", role, im)
		}
		if life := im.Auth.Timestamp - startOfTest; life <= 0 || life > int64(48*time.Hour/time.Second) {
			t.Errorf("the token lives %d seconds", life)
		}
	}
}

func TestTheRefreshTokenIsNotTheAccessToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.send(t, "/api/v1/live/token", b.alice, `{"device_id":"x","device_type":"android"}`).want(t, 200)
	if r.object["access_token"] == "" || r.object["access_token"] == r.object["refresh_token"] {
		t.Errorf("%v", r.object)
	}
}

func TestALoginLastsSevenDaysOrWhatIsConfigured(t *testing.T) {
	t.Parallel()
	for ttl, want := range map[time.Duration]string{0: "2023-11-15T06:13:20+08:00", time.Hour: "2023-11-08T07:13:20+08:00"} {
		b := setup(t, func(b *bench) { b.app.TokenTTL = ttl })
		r := b.send(t, "/login", "", `{"username":"ALICE","password":"`+password+`"}`).want(t, 200)
		if r.object["expire"] != want {
			t.Errorf("%v: %v", ttl, r.object["expire"])
		}
		token := r.object["token"].(string)
		b.send(t, "/api/v1/live/list", token, `{"user_id":"alice"}`).want(t, 200)
	}
}

func TestLoginIgnoresTheAuthorizationHeader(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, token := range []string{"live", "", strings.Repeat("x", 4000), b.bob} {
		b.send(t, loginPath, token, `{"username":"alice","password":"`+password+`"}`).want(t, 200)
	}
}

func TestAnswersAreTheSameJSONTypesAsTheDocument(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body, err := json.Marshal(b.issue(t, `["aliyun_new"]`, ""))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(body), `"timestamp":1699481600`) {
		t.Errorf("the expiry is no integer of seconds: %s", body)
	}
}
