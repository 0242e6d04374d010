package sdktest

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/volcengine/volc-sdk-golang/service/live"
	"github.com/volcengine/volc-sdk-golang/service/live/models/request"
)

// volcSecret is the vendor's formula of type B, written down once more.
func volcSecret(app, stream, key, volcTime string) string {
	sum := md5.Sum([]byte("/" + app + "/" + stream + key + volcTime))
	return hex.EncodeToString(sum[:])
}

func TestOlderPackageWritesARuleThatSignsAndVerifies(t *testing.T) {
	t.Parallel()
	c := older(freshKey(t))
	const vhost = "older.example.com"
	body := `{"Vhost":"` + vhost + `","App":"live","SceneType":"push","PushPullEnable":true,"ValidDuration":3600,"AuthDetailList":[` +
		`{"SecretKey":"A1B2C3d4e5f6","EncryptionAlgorithm":"md5"},{"SecretKey":"9z8y7x6w5v4u","EncryptionAlgorithm":"md5"}]}`
	if _, status, err := c.UpdateAuthKey(nil, body); err != nil || status != http.StatusOK {
		t.Fatalf("%d %v", status, err)
	}
	shown, status, err := c.DescribeAuth(nil, `{"Vhost":"`+vhost+`","SceneType":"push"}`)
	if err != nil || status != http.StatusOK || len(shown.Result.AuthList) != 1 {
		t.Fatalf("%d %v %+v", status, err, shown)
	}
	if m := shown.ResponseMetadata; m.RequestId == "" || m.Action != "DescribeAuth" || m.Version != "2020-08-01" || m.Service != "live" || m.Region != "cn-north-1" {
		t.Errorf("%+v", m)
	}
	entry := shown.Result.AuthList[0]
	if entry.Vhost != vhost || entry.App != "live" || entry.SceneType != "push" || !entry.AuthStatus || entry.ValidDuration != 3600 {
		t.Errorf("%+v", entry)
	}
	if details, ok := entry.AuthDetailList.([]any); !ok || len(details) != 2 {
		t.Errorf("%+v", entry.AuthDetailList)
	}

	valid := int64(600)
	push, status, err := c.GeneratePushURL(&request.GeneratePushURLRequest{Vhost: vhost, App: "live", Stream: "older1", ValidDuration: &valid})
	if err != nil || status != http.StatusOK {
		t.Fatalf("%d %v", status, err)
	}
	rawURL := push.GetResult().GetPushURLList()[0]
	host, app, stream, query := parts(t, rawURL)
	values, err := url.ParseQuery(query)
	if err != nil || host != vhost || values.Get("volcSecret") != volcSecret(app, stream, "A1B2C3d4e5f6", values.Get("volcTime")) {
		t.Errorf("%s: %v", rawURL, err)
	}
	if d := push.GetResult().GetPushURLListDetail()[0]; d.GetDomainApp()+d.GetStreamSign() != rawURL {
		t.Errorf("%+v", d)
	}
	if publish(t, host, app, "older2", query) {
		t.Error("the URL opens another stream")
	}
	if !publish(t, host, app, stream, query) {
		t.Error("the URL is refused at the door")
	}
	second := fmt.Sprintf("volcTime=%d", time.Now().Add(time.Minute).Unix())
	second += "&volcSecret=" + volcSecret("live", "older3", "9z8y7x6w5v4u", strings.TrimPrefix(second, "volcTime="))
	if !publish(t, vhost, "live", "older3", second) {
		t.Error("the second key is refused at the door")
	}
}

func TestOlderPackageGeneratesPullURLs(t *testing.T) {
	t.Parallel()
	got, status, err := older(program.admin).GeneratePlayURL(&request.GeneratePlayURLRequest{Domain: pullHost, App: "live", Stream: "x"})
	if err != nil || status != http.StatusOK {
		t.Fatalf("%d %v", status, err)
	}
	var protocols []string
	for _, u := range got.GetResult().GetURLList() {
		protocols = append(protocols, u.GetProtocol())
		if u.GetType() != "pull" || !strings.Contains(u.GetURL(), pullHost+"/live/x") {
			t.Errorf("%+v", u)
		}
	}
	if fmt.Sprint(protocols) != "[rtmp flv hls]" {
		t.Errorf("%v", protocols)
	}
}

func TestOlderPackageForbidsAndResumes(t *testing.T) {
	t.Parallel()
	c := older(program.admin)
	const vhost, stream = "forbidden.example.com", "older-forbidden"
	body := `{"Vhost":"` + vhost + `","App":"live","Stream":"` + stream + `"}`
	state := func() string {
		t.Helper()
		got, status, err := c.DescribeLiveStreamState(&request.DescribeLiveStreamStateRequest{Vhost: vhost, App: "live", Stream: stream})
		if err != nil || status != http.StatusOK {
			t.Fatalf("%d %v", status, err)
		}
		return got.GetResult().GetStreamState()
	}
	if got := state(); got != "offline" {
		t.Errorf("state %q", got)
	}
	if _, status, err := c.ForbidStream(nil, body); err != nil || status != http.StatusOK {
		t.Fatalf("%d %v", status, err)
	}
	if got := state(); got != "forbidden" {
		t.Errorf("state %q", got)
	}
	bans, status, err := c.DescribeForbiddenStreamInfoByPage(&request.DescribeForbiddenStreamInfoByPageRequest{PageNum: 1, PageSize: 10, Vhost: vhost})
	if err != nil || status != http.StatusOK || bans.GetResult().GetRoughCount() != 1 {
		t.Fatalf("%d %v %+v", status, err, bans)
	}
	if b := bans.GetResult().GetStreamInfoList()[0]; b.GetStream() != stream || b.GetVhost() != vhost || b.GetEndTime() == "" {
		t.Errorf("%+v", b)
	}
	if _, status, err := c.ResumeStream(nil, body); err != nil || status != http.StatusOK {
		t.Fatalf("%d %v", status, err)
	}
	if got := state(); got != "offline" {
		t.Errorf("state %q", got)
	}
	if _, status, err := c.KillStream(&request.KillStreamRequest{Vhost: vhost, App: "live", Stream: stream}); err != nil || status != http.StatusOK {
		t.Errorf("%d %v", status, err)
	}
}

func TestOlderPackageSeesWhatIsRunning(t *testing.T) {
	t.Parallel()
	c := older(program.admin)
	const vhost, stream = "running.example.com", "older-running"
	push, _, err := c.GeneratePushURL(&request.GeneratePushURLRequest{Vhost: vhost, App: "live", Stream: stream})
	if err != nil {
		t.Fatal(err)
	}
	host, app, name, query := parts(t, push.GetResult().GetPushURLList()[0])
	if !publish(t, host, app, name, query) {
		t.Fatal("refused at the door")
	}
	got, _, err := c.DescribeLiveStreamState(&request.DescribeLiveStreamStateRequest{Vhost: vhost, App: app, Stream: stream})
	if err != nil || got.GetResult().GetStreamState() != "online" || got.GetResult().GetType() != "push" {
		t.Errorf("%v %+v", err, got)
	}
	page, _, err := c.DescribeLiveStreamInfoByPage(&request.DescribeLiveStreamInfoByPageRequest{PageNum: 1, PageSize: 10, Vhost: vhost, App: app, Stream: stream})
	if err != nil || page.GetResult().GetRoughCount() != 1 {
		t.Fatalf("%v %+v", err, page)
	}
	if s := page.GetResult().GetStreamInfoList()[0]; s.GetID() == 0 || s.GetVhost() != vhost || s.GetApp() != app || s.GetStream() != stream || s.GetSessionStartTime() == "" {
		t.Errorf("%+v", s)
	}
	now := time.Now().UTC()
	if _, status, err := c.DescribeClosedStreamInfoByPage(&request.DescribeClosedStreamInfoByPageRequest{PageNum: 1, PageSize: 10,
		EndTimeFrom: now.Add(-time.Hour).Format(time.RFC3339), EndTimeTo: now.Format(time.RFC3339)}); err != nil || status != http.StatusOK {
		t.Errorf("%d %v", status, err)
	}
}

// failure reads what the older package puts into its error: the raw answer, or
// the code alone.
func failure(t *testing.T, err error) (code string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	i := strings.IndexByte(text, '{')
	if i < 0 {
		return text
	}
	var v struct {
		ResponseMetadata struct{ Error struct{ Code string } }
	}
	if err := json.NewDecoder(strings.NewReader(text[i:])).Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v.ResponseMetadata.Error.Code
}

func TestOlderPackageIsToldWhatIsWrong(t *testing.T) {
	t.Parallel()
	wrong, unknown := program.admin, program.admin
	wrong.Secret, unknown.ID = "no"+wrong.Secret, "AKSD00000000000000000000"
	const good = `{"Vhost":"none.example.com","SceneType":"push"}`
	for name, tc := range map[string]struct {
		c      *live.LIVE
		body   string
		status int
		code   string
	}{
		"wrong secret": {older(wrong), good, 401, "SignatureDoesNotMatch"},
		"unknown key":  {older(unknown), good, 401, "InvalidAccessKey"},
		"no right":     {older(program.guest), good, 403, "AccessDenied"},
		"both names":   {older(program.admin), `{"Vhost":"a","Domain":"b","SceneType":"push"}`, 400, "InvalidParam"},
		"wrong type":   {older(program.admin), `{"Vhost":1,"SceneType":"push"}`, 400, "InvalidParam.BindError"},
	} {
		_, status, err := tc.c.DescribeAuth(nil, tc.body)
		if code := failure(t, err); status != tc.status || code != tc.code {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	_, status, err := older(program.admin).DescribeLiveStreamState(&request.DescribeLiveStreamStateRequest{App: "live", Stream: "x"})
	if status != http.StatusBadRequest || failure(t, err) != "InvalidParam" {
		t.Errorf("%d %v", status, err)
	}
}
