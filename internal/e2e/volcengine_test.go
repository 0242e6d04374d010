package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/client"
)

// machine is a caller with an access key.
type machine struct{ *api.ClientWithResponses }

// machine makes an access key of the administrator and signs with it.
func (s *server) machine(t *testing.T) machine {
	t.Helper()
	var key struct {
		ID     string `json:"access_key_id"`
		Secret string `json:"secret_access_key"`
	}
	decode(t, s.cli(t, "access-key", "create", "--username", "admin", "--json"), &key)
	return machine{s.anonymous(t, api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error { return sign(r, key.ID, key.Secret) }))}
}

// sign signs a request as the spec says, by hand.
func sign(r *http.Request, id, secret string) error {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	date := time.Now().UTC().Format("20060102T150405Z")
	r.Header.Set("X-Date", date)
	scope := date[:8] + "/cn-north-1/live/request"
	query := strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20")
	canonical := strings.Join([]string{r.Method, "/", query, "host:" + r.URL.Host, "x-date:" + date, "", "host;x-date", sha(body)}, "\n")
	key := []byte(secret)
	for _, part := range append(strings.Split(scope, "/"), "HMAC-SHA256\n"+date+"\n"+scope+"\n"+sha([]byte(canonical))) {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	r.Header.Set("Authorization", "HMAC-SHA256 Credential="+id+"/"+scope+", SignedHeaders=host;x-date, Signature="+hex.EncodeToString(key))
	return nil
}

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// call sends a POST action of the newer version and decodes its result.
func (m machine) call(t *testing.T, action, in string, result any) {
	t.Helper()
	p := &api.CallVolcengineParams{Action: api.CallVolcengineParamsAction(action), Version: "2023-01-01", XDate: "20260101T000000Z"}
	resp, err := m.CallVolcengineWithBodyWithResponse(t.Context(), p, "application/json", strings.NewReader(in))
	if err != nil || resp.StatusCode() != http.StatusOK {
		t.Fatalf("%s: %v, %s", action, err, body(resp))
	}
	decodeResult(t, resp.Body, result)
}

func decodeResult(t *testing.T, answer []byte, result any) {
	t.Helper()
	if result == nil {
		return
	}
	v := struct{ Result any }{result}
	if err := json.Unmarshal(answer, &v); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
}

func (m machine) state(t *testing.T, domain, stream string) string {
	t.Helper()
	app := "live"
	resp, err := m.QueryVolcengineWithResponse(t.Context(), &api.QueryVolcengineParams{Action: api.QueryVolcengineParamsActionDescribeLiveStreamState, Version: "2023-01-01",
		Domain: &domain, App: &app, Stream: &stream})
	if err != nil || resp.StatusCode() != http.StatusOK {
		t.Fatalf("DescribeLiveStreamState: %v, %s", err, body(resp))
	}
	var got api.DescribeLiveStreamStateResult
	decodeResult(t, resp.Body, &got)
	return string(got.StreamState)
}

// A machine with an access key writes a rule, and a URL signed under it opens a
// real media server that knows no vhost; the same name finds the stream there
// and keeps it out.
func TestAMachineRunsAStreamThroughTheVolcengineDialect(t *testing.T) {
	t.Parallel()
	nginx := newMediaServer(t)
	s := newServer(t, map[string]string{"PUSH_DOMAIN": nginx.rtmp})
	nginx.start(t, s.url)
	s.cli(t, "node", "update", "local", "--kind", "nginx-rtmp", "--control-url", nginx.statURL())
	m := s.machine(t)
	m.call(t, "UpdateAuthKey", `{"Domain":"localhost","SceneType":"push","PushPullEnable":true,"AuthDetailList":[`+
		`{"SecretKey":"A1B2C3d4e5f6","EncryptionAlgorithm":"md5","AuthType":"TypeB"}]}`, nil)
	_, port, _ := strings.Cut(nginx.rtmp, ":")
	var urls api.GeneratePushURLResult
	m.call(t, "GeneratePushURL", `{"Vhost":"any.example.com","Domain":"localhost","App":"live","Stream":"studio","ValidDuration":600}`, &urls)
	push := strings.Replace(urls.PushURLList[0], "localhost", "localhost:"+port, 1)
	if urls.AuthType != "TypeB" || !strings.Contains(push, "/live/studio?volcTime=") {
		t.Fatalf("%+v", urls)
	}
	say(t, "push URL %s", withoutQuery(push)+"?volcTime=…&volcSecret=…")

	encoder := publish(t, push)
	eventually(t, "the stream runs on nginx", func() bool { return nginx.publishes(t, "studio") })
	eventually(t, "the stream is online", func() bool { return m.state(t, "localhost", "studio") == "online" })
	s.refuses(t, "publish", "live/other", "signature_mismatch", func() *client { return publish(t, strings.Replace(push, "studio", "other", 1)) })

	m.call(t, "KillStream", `{"Vhost":"localhost","App":"live","Stream":"studio"}`, nil)
	eventually(t, "the encoder is cut off", encoder.ended)
	eventually(t, "the stream is offline", func() bool { return m.state(t, "localhost", "studio") == "offline" })
	encoder = publish(t, push) // it may come back, until the stream is forbidden
	eventually(t, "the stream is online again", func() bool { return m.state(t, "localhost", "studio") == "online" })

	began := time.Now()
	m.call(t, "ForbidStream", `{"Domain":"localhost","App":"live","Stream":"studio"}`, nil)
	eventually(t, "the encoder is cut off for good", encoder.ended)
	say(t, "forbidden: the encoder was cut off within %v", since(began))
	if got := m.state(t, "localhost", "studio"); got != "forbidden" {
		t.Errorf("state %s", got)
	}
	s.refuses(t, "publish", "live/studio", "stream_forbidden", func() *client { return publish(t, push) })
	m.call(t, "ResumeStream", `{"Domain":"localhost","App":"live","Stream":"studio"}`, nil)
	eventually(t, "the stream is offline", func() bool { return m.state(t, "localhost", "studio") == "offline" })
	encoder = publish(t, push)
	eventually(t, "the stream runs again", func() bool { return nginx.publishes(t, "studio") })
	encoder.quit(t)
}
