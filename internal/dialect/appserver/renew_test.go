package appserver

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

const renewPath = "/api/v1/live/refresh_token"

func (b *bench) renew(t *testing.T, method, token string) reply {
	t.Helper()
	path := renewPath
	if method == http.MethodGet {
		path = "/auth/refresh_token"
	}
	return b.do(t, t.Context(), dialecttest.Request{Method: method, Path: path, Header: map[string]string{"Authorization": "Bearer " + token}})
}

func TestATokenIsRenewedForADayAfterThePassword(t *testing.T) {
	t.Parallel()
	b := setup(t, func(b *bench) { b.app.TokenTTL = time.Hour })
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		token := b.send(t, loginPath, "", `{"username":"bob","password":"`+password+`"}`).want(t, 200).object["token"].(string)
		for range 12 { // each has expired when it is exchanged
			b.clock.advance(2 * time.Hour)
			b.send(t, "/api/v1/live/list", token, `{}`).want(t, 401)
			got := b.renew(t, method, token).want(t, 200)
			if want := b.app.formatTime(b.clock.now().Add(time.Hour)); got.object["expire"] != want {
				t.Errorf("until %v, want %s", got.object["expire"], want)
			}
			token = got.object["token"].(string)
			b.send(t, "/api/v1/live/list", token, `{}`).want(t, 200)
			if got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%v", got.Header)
			}
		}
		b.clock.advance(time.Second)
		b.renew(t, method, token).want(t, 401)
		if !strings.Contains(b.server.Log.String(), `"principal":"bob"`) {
			t.Error("the log does not say who renewed a token")
		}
	}
}

func TestWhatIsNoTokenOfOursIsNotRenewed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, err := b.accounts.Authenticate(t.Context(), b.alice)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.accounts.Logout(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"revoked": b.alice, "garbage": "live", "cut off": b.bob[:len(b.bob)-3], "empty": ""} {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			if got := b.renew(t, method, token); got.Status != 401 {
				t.Errorf("%s: %d", name, got.Status)
			}
		}
	}
}
