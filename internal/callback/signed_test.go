package callback_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// signer adds a node that signs and returns its secret.
func (b *bench) signer(t *testing.T, name, kind string, sources ...string) string {
	t.Helper()
	st := node.Settings{Kind: kind}
	for _, s := range sources {
		st.Sources = append(st.Sources, netip.MustParsePrefix(s))
	}
	secret, err := b.nodes.Create(t.Context(), name, st)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// admissionNow is an admission request as OvenMediaEngine writes it.
func admissionNow() string {
	return `{"client":{"address":"192.0.2.7","port":4711},"request":{"direction":"incoming","protocol":"RTMP","status":"opening",` +
		`"url":"rtmp://h/live/room1?token=client-secret","time":"` + time.Now().Format(time.RFC3339Nano) + `"}}`
}

func omeCall(query, key, body string) call {
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(body))
	return call{method: "POST", target: "/callback/ovenmediaengine" + query, body: body, header: http.Header{"Content-Type": {"application/json"},
		"X-Ome-Signature": {base64.RawURLEncoding.EncodeToString(mac.Sum(nil))}}}
}

func TestOvenMediaEngineSignsWhatItSends(t *testing.T) {
	t.Parallel()
	b := setup(t)
	secrets := map[string]string{"ome": b.signer(t, "ome", node.KindOME), "listed": b.signer(t, "listed", node.KindOME, "127.0.0.9/32"),
		"srs": b.node(t, "srs")}
	body := admissionNow()
	right := omeCall("?node=ome", secrets["ome"], body)
	unsigned := right
	unsigned.header = http.Header{"Content-Type": {"application/json"}}
	changed, stripped, foreign := right, right, right
	changed.body = strings.Replace(body, "incoming", "outgoing", 1)
	stripped.body = strings.ReplaceAll(body, " ", "") + " "
	foreign.target = "/callback/ovenmediaengine?node=listed"
	for name, c := range map[string]struct {
		call call
		want string
	}{
		"right":                              {right, "ome"},
		"right, with a secret that is none":  {omeCall("?node=ome&secret=wrong", secrets["ome"], body), "ome"},
		"right, behind an unknown proxy":     {right.with("X-Forwarded-For", "192.0.2.1"), "ome"},
		"of another key":                     {omeCall("?node=ome", secrets["listed"], body), ""},
		"of another node":                    {foreign, ""},
		"unsigned":                           {unsigned, ""},
		"another body":                       {changed, ""},
		"another byte":                       {stripped, ""},
		"of nobody":                          {omeCall("?node=nobody", secrets["ome"], body), ""},
		"of a node that does not sign":       {omeCall("?node=srs", secrets["srs"], body), ""},
		"from a listed source":               {omeCall("?node=listed", secrets["listed"], body).at("127.0.0.9"), "listed"},
		"from another source":                {omeCall("?node=listed", secrets["listed"], body), ""},
		"its secret in the URL":              {omeCall("?secret="+secrets["ome"], secrets["ome"], body), ""},
		"another server's secret in the URL": {omeCall("?secret="+secrets["srs"], "", body), "srs"},
		"on this machine":                    {omeCall("", "", body), node.Local},
		"from far away without anything":     {omeCall("", "", body).with("X-Forwarded-For", "192.0.2.1"), ""},
		"more than is read unseen":           {omeCall("?node=ome", secrets["ome"], body+strings.Repeat(" ", 64<<10)), ""},
	} {
		t.Run(name, func(t *testing.T) { b.wantNode(t, c.call, c.want, secrets) })
	}
}

func aliyunCall(key string, at time.Time) call {
	q := url.Values{"action": {"publish"}, "app": {"push.example.com"}, "appname": {"live"}, "id": {"room1"}, "node": {"198.51.100.7"},
		"time": {strconv.FormatInt(time.Now().Unix(), 10)}, "usrargs": {"token=client-secret"}}
	stamp := strconv.FormatInt(at.Unix(), 10)
	return call{method: "GET", target: "/callback/aliyun?" + q.Encode(), header: http.Header{"Ali-Live-Timestamp": {stamp},
		"Ali-Live-Signature": {urlsign.PushCallbackSignature("push.example.com", stamp, key)}}}
}

func TestAlibabaCloudSignsOrHasASecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	secrets := map[string]string{"first": b.signer(t, "first", node.KindAliyun), "second": b.signer(t, "second", node.KindAliyun),
		"listed": b.signer(t, "listed", node.KindAliyun, "127.0.0.9/32"), "ome": b.signer(t, "ome", node.KindOME)}
	plain := func(secret string) call {
		c := aliyunCall("", time.Now())
		c.header = http.Header{}
		c.target += "&secret=" + secret
		return c
	}
	late, future := time.Now().Add(-6*time.Minute), time.Now().Add(6*time.Minute)
	for name, c := range map[string]struct {
		call call
		want string
	}{
		"signed by one":               {aliyunCall(secrets["first"], time.Now()), "first"},
		"signed by another":           {aliyunCall(secrets["second"], time.Now()), "second"},
		"signed too long ago":         {aliyunCall(secrets["first"], late), ""},
		"signed too early":            {aliyunCall(secrets["first"], future), ""},
		"signed by a server":          {aliyunCall(secrets["ome"], time.Now()), ""},
		"signed by nobody":            {aliyunCall("a guess", time.Now()), ""},
		"signed, from another source": {aliyunCall(secrets["listed"], time.Now()), ""},
		"signed, from its source":     {aliyunCall(secrets["listed"], time.Now()).at("127.0.0.9"), "listed"},
		"configured without":          {plain(secrets["first"]), "first"},
		"configured without, wrong":   {plain("a-guess"), ""},
	} {
		t.Run(name, func(t *testing.T) { b.wantNode(t, c.call, c.want, secrets) })
	}
}

// ZLMediaKit asks again after every status but 200, while its client waits.
func TestZLMediaKitIsRefusedWithAStatusThatItUnderstands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.node(t, "zlm")
	for _, event := range []string{"on_publish", "on_play", "on_flow_report", "on_server_started", "on_shell_login"} {
		resp, body := b.do(t, call{method: "POST", target: "/callback/zlmediakit/" + event + "?secret=wrong", body: "{}"})
		if resp.StatusCode != http.StatusOK || body != `{"code":403,"msg":"callback_unauthenticated"}` {
			t.Errorf("%s: %d %s", event, resp.StatusCode, body)
		}
	}
	if len(b.ledger.Heard()) != 0 || b.told() != 5 {
		t.Errorf("heard %+v, counted %d", b.ledger.Heard(), b.told())
	}
}
